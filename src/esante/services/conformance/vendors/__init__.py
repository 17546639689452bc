"""Vendors of software: registration, access keys, acceptance and suspension by operators."""
