"""Authentication of people and software, and rate limits."""
