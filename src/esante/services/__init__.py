"""The national services; each is one package with a declaration."""
