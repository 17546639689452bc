"""Who is who, and who may do what: the directory and access control."""
