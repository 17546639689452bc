"""What the platform remembers between two requests of a browser that signs in; each serves once.

The browser has a random cookie, of which the SHA-256 is stored with the content: the challenge that a passkey signs,
whose code was entered, the state of a code flow. Another browser cannot go on with it.
"""

from starlette.requests import Request
from starlette.responses import Response

from esante.core import clock
from esante.core.storage import Database
from esante.core.time_zone import today
from esante.core.types import Json
from esante.core.web import is_https, network_of, origin_of
from esante.identity.access import SECRET_PATTERN, Access, generate_secret, hash_secret
from esante.identity.signin import ceremony_store
from esante.identity.signin.terms import sign_in_terms

_COOKIE, _HTTPS_COOKIE = "esante_signin", "__Host-esante_signin"


class Ceremonies:
    """Begins ceremonies and goes on with them."""

    def __init__(self, db: Database, access: Access) -> None:
        self._db, self._access = db, access

    async def begin(self, request: Request, response: Response, purpose: str, content: Json) -> None:
        """Remember `content` for the browser that gets `response`, in place of an earlier ceremony of it.

        Raises: Problem 429 after too many from a network.
        """
        terms, origin = sign_in_terms(today()), origin_of(request)
        limits = {f"signin:{network_of(origin)}": terms.starts_per_network}
        await self._access.count_attempts(limits, terms.window, None, origin)
        value = generate_secret()
        await ceremony_store.insert_ceremony(
            self._db, hash_secret(value), purpose, content, clock.now() + terms.ceremony
        )
        response.set_cookie(
            _cookie_name(request),
            value,
            max_age=int(terms.ceremony.total_seconds()),
            path="/",
            httponly=True,
            samesite="lax",  # a sign-in service sends the browser back from its own site
            secure=is_https(request),
        )

    async def find(self, request: Request, purpose: str) -> Json | None:
        """Return what is remembered for the browser of a request, or None; it stays."""
        key = _key_of(request)
        return await ceremony_store.find_ceremony(self._db, key, purpose, clock.now()) if key else None

    async def take(self, request: Request, purpose: str) -> Json | None:
        """Return what is remembered for the browser of a request, or None, and forget it."""
        key = _key_of(request)
        return await ceremony_store.take_ceremony(self._db, key, purpose, clock.now()) if key else None

    async def tidy(self) -> None:
        """Delete what nobody went on with in time."""
        await ceremony_store.delete_expired(self._db, clock.now())


def _key_of(request: Request) -> bytes | None:
    value = request.cookies.get(_cookie_name(request), "")
    return hash_secret(value) if SECRET_PATTERN.fullmatch(value) else None


def _cookie_name(request: Request) -> str:
    return _HTTPS_COOKIE if is_https(request) else _COOKIE
