"""Running AI tasks: prompts, answers, repairs, what is kept of them. Pure but for models, storing and the session."""
