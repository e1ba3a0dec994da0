"""Management of conversations."""
