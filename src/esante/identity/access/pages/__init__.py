"""HTML pages of access: sharing, the access log, presence codes and emergencies, reviews, apps and OAuth consent."""
