"""Hand-over of cases to those who may receive them."""
