"""The health insurance and the bank as processes of their own, for demonstrations and tests."""
