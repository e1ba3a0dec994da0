"""Measurements, each with its peer in the same run, reported as ratios. ``python -m benchmarks NAME``."""
