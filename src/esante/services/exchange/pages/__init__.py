"""The pages of the exchange across borders."""
