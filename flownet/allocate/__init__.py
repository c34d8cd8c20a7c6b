"""Where capacity should go: what may be moved and bought, the program, the plan."""
