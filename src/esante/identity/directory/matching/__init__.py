"""Which entries are of one person: comparison by weights, online for one person, and in batch for duplicates."""
