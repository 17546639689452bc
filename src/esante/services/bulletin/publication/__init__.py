"""Publication of an issue: files and texts whose bytes depend on the issue alone."""
