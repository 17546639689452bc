"""Opting out of secondary use (Article 71): the switch of a person, its history, who is out at a moment."""
