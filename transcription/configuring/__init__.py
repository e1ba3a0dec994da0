"""How a speech engine fares, what it costs, and the journal of its calls."""
