"""OAuth 2.0 and SMART App Launch: clients, authorization, tokens, scopes."""
