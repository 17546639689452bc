"""Compilation of monthly figures from the journal."""
