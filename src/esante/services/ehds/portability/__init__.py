"""Portability: a person has their record, or parts of it, sent to another provider (EU 2025/327, article 7)."""
