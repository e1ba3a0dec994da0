"""Seats: how many a tenant has, who has one, and what a change would do."""
