"""The pages of the record in the European Health Data Space."""
