"""How the detections of misuse of health data do: what became of their alerts."""
