"""Authentication of people and software, and its rate limits."""
