"""Speech engines and the transcription kind of jobs."""
