"""Persons under special watch, each decided by two operators: famous persons, and invented ones."""
