"""Sharing of a study by a link and a PIN, with whoever the person gives them to."""
