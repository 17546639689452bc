"""The program at a site: enrols, fetches and verifies bundles, applies them, keeps the last good one; one file."""

VERSION = "1.1.0"
