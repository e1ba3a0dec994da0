"""The dashboard: conversations by day, user group and what AI tasks or people say of them."""
