"""Files of the deposit form, kept for a session while the form is corrected."""
