"""The kit of systems that give and take data in the European Health Data Space: EU Health Data API, Annex II."""
