"""Taking uploads in: streamed to files of our own, with limits of size and of time, and nothing left behind."""
