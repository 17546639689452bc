"""Codes with which somebody adds their first passkey, and the letter that brings one."""
