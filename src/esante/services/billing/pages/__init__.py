"""The pages of fee notes."""
