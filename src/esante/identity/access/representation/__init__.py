"""Who acts for whom: parents, guardians and trusted persons; what professionals state about a person's capacity."""
