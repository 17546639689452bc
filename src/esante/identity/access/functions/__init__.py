"""Functions of professionals, copied from the directory for the access decision."""
