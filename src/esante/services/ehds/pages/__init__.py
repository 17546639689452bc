"""The pages of the European Health Data Space."""
