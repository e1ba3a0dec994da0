"""The identity facade of the offline-task API: realms are tenants, tokens are signed by their own keys (R2.1–R2.9)."""
