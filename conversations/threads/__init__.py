"""Text conversations: chat, e-mail and tickets (ADR 0011)."""
