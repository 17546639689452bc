"""Decisions: from evidence to explained lines, quarter by quarter, and what is unusual about them."""
