"""A stand-in for Google Cloud Speech-to-Text and the part of Cloud Storage that it needs (providers §1)."""
