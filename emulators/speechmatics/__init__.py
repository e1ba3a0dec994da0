"""A stand-in for the batch API of Speechmatics, version 2."""
