"""The endpoints of the offline-task API that need a token (E2–E6), and our extensions beside them."""
