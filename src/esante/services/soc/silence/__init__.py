"""Silence of sources: an alert when one that is expected to send does not."""
