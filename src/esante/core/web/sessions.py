"""Sessions of people: an opaque cookie, kept only as a hash; the same for every way of signing in."""

import hashlib
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from esante.core.storage import Connection, Database, Kind, Table

COOKIE = "esante_session"
LIFETIME = timedelta(hours=8)
_CACHE_SECONDS = 2.0
SESSION = Table(
    "web_session",
    Kind.LOCAL,
    {"token_hash": "bytea", "principal": "jsonb", "csrf": "text", "expires_at": "timestamptz"},
)


@dataclass(frozen=True, slots=True)
class Session:
    """Who is signed in (`principal` as the access room wrote it), and the token that proves a form is ours."""

    principal: dict[str, Any]
    csrf: str
    expires_at: datetime
    key: bytes
    """What the session is known by here: the SHA-256 of the cookie's value."""


class Sessions:
    """Creates, finds and ends sessions. A found one is believed for two seconds without asking again."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._seen: dict[bytes, tuple[float, Session]] = {}

    async def create(self, principal: dict[str, Any], lifetime: timedelta = LIFETIME) -> str:
        """Start a session; returns the cookie's value, which is stored nowhere."""
        token = secrets.token_urlsafe(32)
        expires = datetime.now(UTC) + lifetime
        row = (_hash(token), orjson.dumps(principal).decode(), secrets.token_urlsafe(24), expires)
        await self._db.write([(SESSION, row)])
        return token

    async def of(self, request: Request) -> Session | None:
        """The session of a request, or None; looked up once a request."""
        if not hasattr(request.state, "session"):
            request.state.session = await self._find(request.cookies.get(COOKIE, ""))
        found: Session | None = request.state.session
        return found

    async def delete(self, request: Request) -> None:
        """End the session of a request."""
        key = _hash(request.cookies.get(COOKIE, ""))
        self._seen.pop(key, None)
        await self._db.fetchval("DELETE FROM web_session WHERE token_hash = $1 OR expires_at < now()", key)
        request.state.session = None

    async def lives(self, conn: Connection, key: bytes) -> bool:
        """Whether the session known by `key` still goes on, asked within a transaction."""
        found = await conn.fetchval(
            "SELECT EXISTS (SELECT FROM web_session WHERE token_hash = $1 AND expires_at > now())", key
        )
        return bool(found)

    async def _find(self, token: str) -> Session | None:
        if not token:
            return None
        key, now = _hash(token), time.monotonic()
        known = self._seen.get(key)
        if known and now - known[0] < _CACHE_SECONDS:
            return known[1]
        row = await self._db.fetchrow(
            "SELECT principal, csrf, expires_at FROM web_session WHERE token_hash = $1 AND expires_at > now()",
            key,
        )
        if row is None:
            return None
        session = Session(orjson.loads(row["principal"]), row["csrf"], row["expires_at"], key)
        if len(self._seen) > 10_000:
            self._seen.clear()
        self._seen[key] = (now, session)
        return session


def set_cookie(response: Response, request: Request, token: str) -> None:
    """Give the session cookie: for this site's own requests, out of the reach of scripts."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(LIFETIME.total_seconds()),
        path="/",
        httponly=True,
        samesite="lax",
        secure=by_https(request),
    )


def by_https(request: Request) -> bool:
    """Whether cookies are for HTTPS alone: the platform's address says so, whatever a proxy tells of a request."""
    return getattr(request.app.state, "secure", False) or request.url.scheme == "https"


def clear_cookie(response: Response) -> None:
    """Take the session cookie back."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
