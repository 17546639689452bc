"""The electronic vaccination card: doses, their checks, the history in the record, and who is due for what."""
