"""Appeals against lines of a decision, and their answers."""
