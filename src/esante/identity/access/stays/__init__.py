"""Stays at institutions: admissions, renewals and discharges, and the access that they give."""
