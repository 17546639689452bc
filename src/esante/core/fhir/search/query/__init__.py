"""Parsing of search requests: parameters, values, result parameters, page cursors; the CapabilityStatement."""
