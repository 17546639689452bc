"""Cross-references of identifiers (IHE PIXm)."""
