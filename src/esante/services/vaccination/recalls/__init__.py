"""Lots: everybody who got one, and recalls of lots with notices and letters to those persons."""
