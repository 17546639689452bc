"""Installations that vendors claim."""
