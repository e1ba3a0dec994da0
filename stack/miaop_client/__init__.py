"""A client of the offline-task API: works against any server of it and needs nothing of ours but the locked packages."""
