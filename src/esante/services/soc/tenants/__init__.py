"""Members of the SOC, and who sees what is known of which."""
