"""Schemes of incentives and their terms, as dated data."""
