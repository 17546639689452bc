"""What holders state in advance: organ donation, advance directive, end-of-life provisions."""
