"""Signing in: organisation, user name and password; second factor; single sign-on."""
