"""Entries of the directory compared with each other by programs."""
