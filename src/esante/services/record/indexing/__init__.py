"""Resources extracted from deposited documents, with their sources."""
