"""Parsing of search requests: parameters, values, paging, results."""
