"""Documents: deposit, search, retrieval over IHE MHD."""
