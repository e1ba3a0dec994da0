"""Three hundred conversations that want something from the model, and what becomes of them (hostile 3H, providers §6.6)."""
