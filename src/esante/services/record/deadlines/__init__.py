"""Deadlines of deposits: how soon documents come, what is due, and documents that holders ask for."""
