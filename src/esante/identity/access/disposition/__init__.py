"""Dispositions: what happens at the end of a period, planned, announced, held or stopped, and done in small steps."""
