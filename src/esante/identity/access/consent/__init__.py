"""What a person allows: the life of the record, grants, blocks, codes, stays, emergencies."""
