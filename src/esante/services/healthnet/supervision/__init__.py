"""Supervision: measures of sites and paths, anomalies, planned works, events for the SOC."""
