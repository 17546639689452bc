"""The card: doses given, copied and refused, contraindications, adverse events; one person at a time."""
