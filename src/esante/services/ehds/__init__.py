"""The record in the European Health Data Space: requirements with evidence, exchange format, rights of patients."""
