"""What rules find in the stream of events: alerts, and the hits that are correlated."""
