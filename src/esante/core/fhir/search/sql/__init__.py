"""Compilation of search queries to SQL, and their execution in PostgreSQL."""
