"""Calls, recordings and transcripts: the tables of every tenant's schema."""
