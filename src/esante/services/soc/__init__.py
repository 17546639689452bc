"""The security operations centre (SOC): one watch over the security of the health sector."""
