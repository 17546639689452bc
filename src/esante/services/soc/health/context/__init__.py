"""The context of an access: whether care explains it, and how the two people are related."""
