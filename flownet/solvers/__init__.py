"""Solving: the register of methods, `solve`, `Solution`, goals."""
