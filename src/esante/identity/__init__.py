"""The identity layer: the directory of persons and professionals, and access control."""
