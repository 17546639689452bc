"""OAuth 2.0 and SMART App Launch: client registry, authorization requests, tokens, scopes, discovery."""
