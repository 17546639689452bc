"""What a document is made of: media type, attachments, and the validation of its content."""
