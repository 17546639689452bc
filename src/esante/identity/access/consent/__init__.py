"""Consent: the states of a record, grants, restrictions, presence codes, hospital stays, emergency access."""
