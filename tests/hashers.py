"""Argon2id at the lowest cost: the same code path as in production, only quicker."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class QuickArgon2PasswordHasher(Argon2PasswordHasher):
    """Argon2id with one pass over little memory."""

    time_cost = 1
    memory_cost = 64
    parallelism = 1
