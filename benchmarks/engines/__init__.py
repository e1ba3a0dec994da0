"""Speech engines against their stand-ins: words, throughput and imports."""
