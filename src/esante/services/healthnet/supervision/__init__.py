"""Supervision: measures of sites and paths, anomalies, planned works, what the SOC is told."""
