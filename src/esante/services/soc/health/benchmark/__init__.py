"""The labelled benchmark: a synthetic country with invented misuse, and how well the detections find it."""
