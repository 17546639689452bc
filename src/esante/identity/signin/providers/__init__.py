"""Sign-in services of others (OpenID Connect)."""
