"""Demonstration data: studies of invented examinations with their reports, whose images are computed phantoms."""
