"""The synthetic past: grants, accesses, journal entries and released issues."""
