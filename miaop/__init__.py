"""The offline-task API of the integration guide: tasks of audio files, their meetings and transcripts."""
