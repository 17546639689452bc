"""Alerts: what detections found, for whoever handles it."""
