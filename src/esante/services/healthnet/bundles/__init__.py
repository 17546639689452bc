"""What a site gets: signed, versioned bundles of its whole configuration, and their differences; pure."""
