"""Evidence of cases: items that cannot be changed without being found."""
