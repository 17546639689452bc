"""Tests of referring doctors and delegations."""
