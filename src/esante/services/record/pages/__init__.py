"""The pages of the record in the portal."""
