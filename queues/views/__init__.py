"""Pages of processing queues (Administration > Jobs > Processing Queues)."""
