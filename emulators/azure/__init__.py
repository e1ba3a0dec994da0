"""A stand-in for Azure Speech to Text and the part of Blob storage that it needs (providers §2)."""
