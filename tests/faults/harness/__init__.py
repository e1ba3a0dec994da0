"""The seeded fault harness (security §2): real processes, faults drawn from a seed, and a checker of what is left.

``python -m tests.faults.harness --trials 200`` starts PostgreSQL, Valkey, workers, beat, web and a fake provider once,
then runs trial after trial: publish, disturb, heal, wait, check. What a trial does follows from its seed alone.
"""
