"""Detections of misuse of the record from the journal: facts, care context, rules, invented records, a benchmark."""
