"""Threat intelligence: indicators of others, matched with events."""
