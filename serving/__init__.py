"""Triton on one machine: the real server out of a wheel, with no container and no GPU."""
