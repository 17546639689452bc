"""A study as files to keep: what used to be on the CD."""
