"""Dashboards: reads only."""
