"""A server of the offline-task API (token, E2, E3, E5, E6, archive) that recognises tone words; for tests of clients."""
