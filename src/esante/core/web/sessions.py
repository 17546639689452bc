"""Sessions of signed-in persons: an opaque cookie, stored only as a hash; the same for every way of signing in."""

import hashlib
import secrets
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from starlette.requests import Request
from starlette.responses import Response

from esante.core import clock
from esante.core.storage import Connection, Database
from esante.core.types import Json
from esante.core.web import session_store as store

COOKIE, HTTPS_COOKIE = "esante_session", "__Host-esante_session"
"""The cookie's name on a machine of one's own, and over HTTPS: there a browser takes it from this very host over HTTPS
only, so that no other host of the domain can set one (RFC 6265bis, section 4.1.3.2)."""
LIFETIME = timedelta(hours=8)
_CACHE_SECONDS = 2.0
_CACHE_SESSIONS = 10_000


@dataclass(frozen=True, slots=True)
class Session:
    """The signed-in person (`principal` as the access package wrote it), and the token that forms must carry."""

    principal: Json
    csrf: str
    expires_at: datetime
    key: bytes
    """The key of the session: the SHA-256 of the cookie's value (32 bytes)."""


class Sessions:
    """Creates, finds and ends sessions. A session that was found is cached for two seconds."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._cache: dict[bytes, tuple[float, Session]] = {}

    async def create(self, principal: Json, lifetime: timedelta = LIFETIME) -> str:
        """Start a session; return the value of its cookie, which is stored nowhere."""
        token = secrets.token_urlsafe(32)
        expires = clock.now() + lifetime
        csrf = secrets.token_urlsafe(24)
        await store.insert_session(self._db, _hash(token), orjson.dumps(principal).decode(), csrf, expires)
        return token

    async def of(self, request: Request) -> Session | None:
        """Return the session of a request, or None; looked up once a request."""
        if not hasattr(request.state, "session"):
            request.state.session = await self._find(request.cookies.get(cookie_name(request), ""))
        found: Session | None = request.state.session
        return found

    async def delete(self, request: Request) -> None:
        """End the session of a request."""
        key = _hash(request.cookies.get(cookie_name(request), ""))
        self._cache.pop(key, None)
        await store.delete_session(self._db, key)
        request.state.session = None

    async def delete_all(self, conn: Connection, principal_id: str) -> int:
        """End all sessions of a principal, within a transaction; return how many there were.

        Other processes know it when their cache of `_CACHE_SECONDS` ends.
        """
        keys = await store.delete_sessions_of(conn, principal_id)
        for key in keys:
            self._cache.pop(key, None)
        return len(keys)

    async def list_of(self, principal_id: str) -> list[Session]:
        """Return the sessions of a principal, and those in which they act for another; the newest first."""
        rows = await store.live_sessions_of(self._db, principal_id)
        return [Session(orjson.loads(row["principal"]), "", row["expires_at"], row["token_hash"]) for row in rows]

    async def end(self, conn: Connection, principal_id: str, key: bytes) -> bool:
        """End one session of `list_of`, within a transaction; return whether there was one."""
        self._cache.pop(key, None)
        return await store.delete_session_of(conn, principal_id, key)

    async def is_live(self, conn: Connection, key: bytes) -> bool:
        """Return whether the session with that key has neither ended nor expired, within a transaction."""
        return await store.is_live(conn, key)

    async def _find(self, token: str) -> Session | None:
        if not token:
            return None
        key, now = _hash(token), time.monotonic()
        cached = self._cache.get(key)
        if cached and now - cached[0] < _CACHE_SECONDS:
            return cached[1]
        row = await store.live_session(self._db, key)
        if row is None:
            return None
        session = Session(orjson.loads(row["principal"]), row["csrf"], row["expires_at"], key)
        if len(self._cache) > _CACHE_SESSIONS:
            self._cache.clear()
        self._cache[key] = (now, session)
        return session


def set_cookie(response: Response, request: Request, token: str) -> None:
    """Set the session cookie: sent with this site's own requests only, not readable by scripts."""
    response.set_cookie(
        cookie_name(request),
        token,
        max_age=int(LIFETIME.total_seconds()),
        path="/",
        httponly=True,
        samesite="lax",
        secure=is_https(request),
    )


def is_https(request: Request) -> bool:
    """Return whether cookies are for HTTPS only: by the platform's own address, or by the URL of the request."""
    app = request.scope.get("app")
    return bool(app and getattr(app.state, "secure", False)) or request.scope.get("scheme") == "https"


def cookie_name(request: Request) -> str:
    """Return the name of the session cookie for a request."""
    return HTTPS_COOKIE if is_https(request) else COOKIE


def clear_cookie(response: Response, request: Request) -> None:
    """Delete the session cookie."""
    secure = is_https(request)
    response.delete_cookie(cookie_name(request), path="/", httponly=True, samesite="lax", secure=secure)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
