"""Comparison of the person whom a document is about with the person of the record."""
