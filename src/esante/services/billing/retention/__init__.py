"""The end of fee notes: what is deleted once its time of keeping is over."""
