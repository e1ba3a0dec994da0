"""Pages of jobs (Administration > Speech Analytics > Transcription > Jobs)."""
