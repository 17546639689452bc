"""Tests of the dated rules of access."""
