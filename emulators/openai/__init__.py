"""A server that behaves like OpenAI's, Azure's and those that copy them; its "model" is a few rules, not a network."""
