"""The queue of alerts: what waits, belongs together, is suppressed, dismissed, or an exercise."""
