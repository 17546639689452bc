"""Tests of the vaccination card."""
