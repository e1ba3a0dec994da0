"""Settings of queues that are shared with a second installation, the pairing server (docs/adr/0008)."""
