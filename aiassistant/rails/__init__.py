"""What keeps the bill in bounds: budgets, rates, repetitions, and what was spent (providers §6.5, domain A6)."""
