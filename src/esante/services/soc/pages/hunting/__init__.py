"""The pages of hunts, threat intelligence, advisories, sightings and coverage."""
