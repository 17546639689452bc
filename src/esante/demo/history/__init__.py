"""The synthetic history: grants, accesses to records, and entries of the journal."""
