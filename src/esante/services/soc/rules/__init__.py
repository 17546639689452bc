"""Sigma rules: read from files, refused with a reason or parsed (Sigma specification 2.1)."""
