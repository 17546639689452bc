"""A kit of two requirements."""
