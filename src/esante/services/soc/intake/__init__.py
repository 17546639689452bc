"""Intake of events: received from members, normalised, matched with rules, stored, and then acknowledged."""
