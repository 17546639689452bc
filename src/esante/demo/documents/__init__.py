"""Synthetic documents: the course of care, the drafts it produces, and their rendering."""
