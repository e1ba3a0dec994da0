"""Measurements, each with its peers in the same run, reported as ratios: ``./parlance bench NAME`` (see README.md)."""
