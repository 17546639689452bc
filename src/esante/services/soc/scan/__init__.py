"""Files of events matched against a folder of rules."""
