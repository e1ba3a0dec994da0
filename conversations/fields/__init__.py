"""Values of custom fields: what people, AI tasks and imports say about a conversation."""
