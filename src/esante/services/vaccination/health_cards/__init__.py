"""SMART Health Cards: signed vaccinations that anybody can verify without a network."""
