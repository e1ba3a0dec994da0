"""AI tasks over conversations: the product beside a script that makes the same requests, and the built-in engine."""
