"""Measurements that figures in the documentation come from; each is `python -m benchmarks.<name>`."""
