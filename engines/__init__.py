"""What speech engines and AI engines have in common: settings, secrets, tests, pauses, circuits and pages. No tables."""
