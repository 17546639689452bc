"""Software proves who it is with a key of its own: private_key_jwt.

Source: HL7 SMART App Launch 2.2, "Client Authentication: Asymmetric"; RFC 7523. Signatures are joserfc's business.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import orjson
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from esante.core.storage import Database
from esante.identity.access.smart import client_store
from esante.identity.access.smart.client_store import SoftwareClient
from esante.identity.access.smart.clients import Clients
from esante.identity.access.smart.protocol import OAuthError, kept_as

ALGORITHMS = ["ES384", "RS384"]
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_AGE = timedelta(minutes=5)
LEEWAY = 10
"""Seconds by which two clocks may differ."""
_MAX_TEXT = 256
_MAX_TIME = 1e12


class Assertions:
    """Finds out which software sent a form. The assertion must name `endpoint`, the token address, as its audience."""

    def __init__(self, db: Database, clients: Clients, endpoint: str) -> None:
        self._db, self._clients, self.endpoint = db, clients, endpoint

    async def client(self, form: Mapping[str, str]) -> SoftwareClient:
        """The client: by its assertion, or a public one by its id alone; OAuthError for any other."""
        if "client_assertion" in form or "client_assertion_type" in form:
            return await self.signed(form)
        client = await self._clients.find(form.get("client_id", ""))
        if client is None or not client.public:
            raise OAuthError(
                "invalid_client", "client_id is not that of a public client; others sign an assertion", 401
            )
        return client

    async def signed(self, form: Mapping[str, str]) -> SoftwareClient:
        """The client whose assertion a form has; each assertion is taken once. OAuthError."""
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise OAuthError("invalid_client", f"client_assertion_type must be {ASSERTION_TYPE}", 401)
        assertion = form.get("client_assertion", "")
        client = await self._clients.find(issuer(assertion))
        claims = verified(assertion, client)
        if client is None or claims is None:
            raise OAuthError("invalid_client", "the client is not known, or its signature does not hold", 401)
        check_claims(claims, client.client_id, self.endpoint, datetime.now(UTC))
        if form.get("client_id", client.client_id) != client.client_id:
            raise OAuthError("invalid_client", "client_id and client_assertion are of two clients", 401)
        expires = datetime.fromtimestamp(claims["exp"] + LEEWAY, UTC)
        try:
            await self._db.write([(client_store.ASSERTION, (client.client_id, kept_as(claims["jti"]), expires))])
        except asyncpg.UniqueViolationError as error:
            raise OAuthError("invalid_client", "this assertion was used before: its jti must be new", 401) from error
        return client


def claimed(form: Mapping[str, str]) -> str:
    """Who a form claims to be from, before anything is believed; "" when it cannot be read."""
    if "client_assertion" in form:
        return issuer(form["client_assertion"])
    return _name(form.get("client_id"))


def issuer(assertion: str) -> str:
    """Who an assertion claims to be from, before anything is believed; "" when it cannot be read."""
    try:
        claims = jws.extract_compact(assertion.encode()).payload
        return _name(_json(claims).get("iss"))
    except (JoseError, ValueError, UnicodeError, RecursionError):
        return ""


def verified(assertion: str, client: SoftwareClient | None) -> dict[str, Any] | None:
    """The claims of an assertion whose signature a key of the client holds, or None."""
    if client is None or client.public:
        return None
    try:
        keys = KeySet.import_key_set(client.jwks)  # type: ignore[arg-type]
        token = jwt.decode(assertion, keys, algorithms=ALGORITHMS)
    except (JoseError, ValueError, UnicodeError, RecursionError):
        return None
    return dict(token.claims) if token.header.get("kid") else None


def check_claims(claims: Mapping[str, Any], client_id: str, endpoint: str, now: datetime) -> None:
    """OAuthError unless the claims of an assertion are as SMART asks."""
    audience, jti = claims.get("aud"), claims.get("jti")
    expiry, not_before = _number(claims.get("exp")), _number(claims.get("nbf", 0))
    seconds = now.timestamp()
    latest = seconds + MAX_AGE.total_seconds() + LEEWAY
    rules = {
        "iss and sub must both be the client_id": (claims.get("iss"), claims.get("sub")) == (client_id, client_id),
        f"aud must be {endpoint}": endpoint in (audience if isinstance(audience, list) else [audience]),
        "exp must be a time in seconds that has not passed": expiry is not None and expiry > seconds - LEEWAY,
        "exp must be at most five minutes ahead": expiry is not None and expiry <= latest,
        "nbf must be a time in seconds that has come": not_before is not None and not_before <= seconds + LEEWAY,
        "jti must be a text of 1 to 256 characters": isinstance(jti, str) and 0 < len(jti) <= _MAX_TEXT,
    }
    for rule, kept in rules.items():
        if not kept:
            raise OAuthError("invalid_client", rule, 401)


def _name(value: object) -> str:
    return value if isinstance(value, str) and value.isprintable() and len(value) <= _MAX_TEXT else ""


def _json(data: bytes) -> dict[str, Any]:
    found = orjson.loads(data)
    if not isinstance(found, dict):
        raise ValueError("not an object")  # noqa: TRY004 - one kind of error for what cannot be read
    return found


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < _MAX_TIME else None
