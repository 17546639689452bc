"""Payments: accounts of payees, orders of a quarter, the file for the bank and its answers."""
