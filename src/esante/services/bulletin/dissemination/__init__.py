"""Files and the push to the national open data portal."""
