"""What members learn together: sightings without names, advisories of the agency, exchange with others."""
