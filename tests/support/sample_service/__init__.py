"""A sample service: appointments. It lies outside the program and shows all that a service may declare."""
