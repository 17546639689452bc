"""Entries of one person that were merged: the relation between them, and the acts of operators that change it."""
