"""Applications for data permits (Article 67) and data requests (Article 69): drafts, questions, decisions by two."""
