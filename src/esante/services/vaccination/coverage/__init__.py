"""Coverage: who of a year of birth and canton was given a vaccine and is up to date; small cells are protected."""
