"""Processing queues: events put records in, jobs take them out."""
