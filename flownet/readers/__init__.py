"""Reading networks from files, and writing them."""
