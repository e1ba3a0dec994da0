"""Pages of one AI engine beside its settings: how it fares, prices, what its server can do; and default engines."""
