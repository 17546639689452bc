"""The archive: tables and bytes of studies, who may see them, and the entries in the access log."""
