"""Vaccine products, the diseases that they protect against, their packs and recalls, as dated data."""
