"""Coverage: how many of each year of birth and canton were given a vaccine, and are up to date, with small cells protected."""
