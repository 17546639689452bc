"""Messages between sites: encrypted from end to end, accepted and delivered with receipts that prove it."""
