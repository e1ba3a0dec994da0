"""The command line of the local stack, one module a group of commands."""
