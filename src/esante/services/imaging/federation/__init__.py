"""Federation: studies of which the platform has the manifest, and a hospital's own archive the images."""
