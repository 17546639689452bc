"""The pages of detections of misuse of health data: marked persons, and how the detections do."""
