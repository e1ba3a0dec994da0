"""Tests of Parlance."""
