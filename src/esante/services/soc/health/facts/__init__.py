"""Facts: what the journal says of accesses and of care, folded into few rows; in memory and in PostgreSQL."""
