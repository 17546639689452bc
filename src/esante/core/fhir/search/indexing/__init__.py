"""Extraction of the values that searches compare."""
