"""Passkeys: ceremonies of WebAuthn, and the passkeys of holders."""
