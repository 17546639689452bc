"""Vintages of figures and what of them is published."""
