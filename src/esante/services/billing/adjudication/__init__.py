"""The share of each act that the insurance bears, by dated rules."""
