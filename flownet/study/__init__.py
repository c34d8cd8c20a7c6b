"""What if: comparisons of a network before and after a change."""
