"""Events of members normalised to OCSF, with their originals."""
