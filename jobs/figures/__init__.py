"""Figures of what jobs did: counted in the transactions that do it, folded by a task, read by pages and alerts."""
