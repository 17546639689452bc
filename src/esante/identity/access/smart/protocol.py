"""What the faces of OAuth 2.0 (RFC 6749) share: refusals, secrets of which only a digest is kept, what is issued."""

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
"""The form of every token, code and launch handle: 32 random bytes in base64url."""


class OAuthError(Exception):
    """A refusal: `error` is the code of RFC 6749, section 5.2 or 4.1.2.1; `description` is for developers."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error, self.description, self.status = error, description, status


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """What the token endpoint gives: a token, and `more` that comes along (context, id token, refresh token)."""

    token: str
    scopes: frozenset[str]
    lifetime: timedelta
    more: dict[str, Any] = field(default_factory=dict)


def new_secret() -> str:
    """A secret that nobody can guess."""
    return secrets.token_urlsafe(32)


def kept_as(secret: str) -> bytes:
    """What is kept of a secret: its SHA-256."""
    return hashlib.sha256(secret.encode()).digest()
