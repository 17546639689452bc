"""Addresses and names of the network: the plan, allocation, zones, exchange with NetBox."""
