"""Radiation dose of the examinations of a person: from dose reports, summed, estimated, shown by year."""
