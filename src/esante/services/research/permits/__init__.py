"""Permits (Article 68) and approved data requests (Article 69): who may use which columns, from when to when."""
