"""Opting out of primary use, and in again: what was in force when (Regulation (EU) 2025/327, article 10)."""
