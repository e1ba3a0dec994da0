"""Worker processes: heartbeat, being asked to stop, their page."""
