"""The description of a network: its attributes, its check, and its compilation to arrays."""
