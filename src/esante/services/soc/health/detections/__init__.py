"""The detections: pure rules, each with its parameters as dated data and its explanation in words."""
