"""SMART Health Links: encrypted vaccinations that somebody can fetch with a link and a PIN."""
