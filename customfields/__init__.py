"""Custom fields: what may be said about a conversation, and how it must look. Values are in the tenants."""
