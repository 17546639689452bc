"""Contracts of sites: what was agreed for which price, and what was delivered."""
