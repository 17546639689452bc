"""Demonstration data of the SOC: two members with sources, and invented events."""
