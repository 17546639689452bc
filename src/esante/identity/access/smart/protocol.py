"""OAuth 2.0 (RFC 6749): error responses, token responses, and secrets of which only a digest is stored."""

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from datetime import timedelta

from esante.core.types import Json

SECRET_PATTERN = re.compile(r"[A-Za-z0-9_-]{43}")
"""The form of every token, authorization code and launch handle: 32 random bytes in base64url."""


class OAuthError(Exception):
    """An error response: `error` is a code of RFC 6749, section 5.2 or 4.1.2.1; `description` is for developers."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error, self.description, self.status = error, description, status


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenResponse:
    """A successful response of the token endpoint (RFC 6749, section 5.1).

    `extra`: further parameters (launch context, id token, refresh token; a `token_type` there replaces the default).
    """

    access_token: str
    scopes: frozenset[str]
    lifetime: timedelta
    extra: Json = field(default_factory=dict)


def generate_secret() -> str:
    """Return 32 random bytes in base64url, in the form of `SECRET_PATTERN`."""
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> bytes:
    """Return the SHA-256 of a secret, which is all that is stored of it."""
    return hashlib.sha256(secret.encode()).digest()
