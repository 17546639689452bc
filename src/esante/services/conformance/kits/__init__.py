"""Conformance kits: requirements as data, checks that call a target, and reports that are kept and signed."""
