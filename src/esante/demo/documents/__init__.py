"""The synthetic documents and the care that they come from."""
