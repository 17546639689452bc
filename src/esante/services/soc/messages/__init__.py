"""Messages to contacts of members that a case needs them: where to look, and nothing of what happened."""
