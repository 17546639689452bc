"""The pages of secondary use."""
