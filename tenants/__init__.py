"""Tenants, their schemas and the doors: the only ways into a tenant's schema."""
