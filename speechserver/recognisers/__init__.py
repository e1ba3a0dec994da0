"""Recognisers: each turns the samples of one channel into segments of timed words."""
