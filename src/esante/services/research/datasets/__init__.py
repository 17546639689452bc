"""The datasets of secondary use: what they are called, and the views that make their tables."""
