"""How good a transcript is: a score and what speaks against it, from the transcript and the picture of its recording."""
