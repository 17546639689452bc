"""Researchers (health data users): registration, access keys, acceptance and suspension by operators."""
