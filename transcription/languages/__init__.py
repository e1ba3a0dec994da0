"""Languages by the names that senders of audio use, and their tags (offline-task API, section 7)."""
