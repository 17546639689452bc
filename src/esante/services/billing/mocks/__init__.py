"""The health insurance and the bank as processes of their own, to test against: no part of the platform's data."""
