"""Pages: start page, usage, statements, check list."""
