"""The route × role matrix (security §3): what every route answers to every principal, verb and relation."""
