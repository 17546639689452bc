"""The kit of fee notes: the software of a practice, tested from a sandbox that answers as the platform does."""
