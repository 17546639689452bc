"""Release of images to the patient: who made a study may withhold it for some days."""
