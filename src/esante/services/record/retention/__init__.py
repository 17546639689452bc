"""Retention: how long documents and clinical data are kept, agreements about it, and what happens at its end."""
