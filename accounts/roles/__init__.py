"""Roles: their pages, and the rules of who may give which right to whom (domain L10–L14)."""
