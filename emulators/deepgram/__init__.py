"""A stand-in for Deepgram's API of pre-recorded audio (providers §4.1)."""
