"""Benchmarks: specs (what is solved) times phases (compile, solve, find, reallocate …)."""
