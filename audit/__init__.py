"""The audit trail: append-only, one SHA-256 chain a tenant."""
