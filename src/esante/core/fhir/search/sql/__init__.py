"""Compilation of searches to SQL and their execution."""
