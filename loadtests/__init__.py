"""Is a Triton endpoint fast enough? Open-loop load, objectives from a file, a verdict for people and for CI.

Knows the endpoint only through `fovea_client`; how models are made, exported and served is left to the other stages.
"""
