"""The vaccination history in the record: a document that follows the card."""
