"""Sources of members: what sends events, with which keys, and how much it may send."""
