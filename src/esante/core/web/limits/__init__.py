"""Bound what one client may hold: connections, large bodies and turns."""
