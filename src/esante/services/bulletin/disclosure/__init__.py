"""Statistical disclosure control, and its audit."""
