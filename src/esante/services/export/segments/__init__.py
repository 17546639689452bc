"""The segments of an export: the sections of a record read in portions, written and compressed."""
