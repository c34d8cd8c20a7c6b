"""Where it hurts and why: the constraint, told from the symptoms."""
