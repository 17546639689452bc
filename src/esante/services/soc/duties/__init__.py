"""Duties to notify an incident: which, why, until when; clocks, drafts and what was sent."""
