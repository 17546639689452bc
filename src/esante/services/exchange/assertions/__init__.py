"""Assertions about who asks, and for whom: health professional (HCP), treatment (TRC), next of kin (NOK)."""
