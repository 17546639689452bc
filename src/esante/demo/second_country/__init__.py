"""A second country beside a demo, which exchanges documents with it."""
