"""Jobs: definitions, runs, records, logs and passes: the only orchestrator."""
