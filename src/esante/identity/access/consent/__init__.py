"""Consent: the states of a record, grants, restrictions, presence codes, ceilings, emergency access."""
