"""Faithful local servers of outside providers, for tests and demonstrations. They import no app."""
