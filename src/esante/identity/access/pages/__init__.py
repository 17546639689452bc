"""The pages of access control in the portal."""
