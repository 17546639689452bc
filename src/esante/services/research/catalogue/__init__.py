"""The catalogue: datasets with live figures, a quality and utility label, and their description in HealthDCAT-AP."""
