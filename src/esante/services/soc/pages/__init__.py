"""The pages of the SOC."""
