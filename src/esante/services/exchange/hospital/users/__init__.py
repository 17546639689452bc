"""Who uses a hospital's system: by a token, or by an assertion that the hospital signed (IHE XUA)."""
