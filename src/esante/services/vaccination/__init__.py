"""The electronic vaccination card (carnet de vaccination électronique)."""
