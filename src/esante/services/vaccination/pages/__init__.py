"""The pages of the card."""
