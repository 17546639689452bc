"""Hot storage: the events of the last days in PostgreSQL, by day of receipt."""
