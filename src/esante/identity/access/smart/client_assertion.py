"""Client authentication with a signed assertion (private_key_jwt), or as a public client by client_id alone.

Source: HL7 SMART App Launch 2.2, "Client Authentication: Asymmetric"; RFC 7523. joserfc verifies the signatures.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import orjson
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from esante.core import clock
from esante.core.storage import Database
from esante.core.types import Json
from esante.identity.access.smart import client_store
from esante.identity.access.smart.client_store import SoftwareClient
from esante.identity.access.smart.clients import ClientRegistry
from esante.identity.access.smart.protocol import OAuthError, hash_secret

ALGORITHMS = ["ES384", "RS384"]
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_AGE = timedelta(minutes=5)
"""How far ahead an assertion may expire."""
LEEWAY = 10
"""Tolerated difference of two clocks, in seconds."""
_MAX_TEXT = 256
_MAX_TIME = 1e12


class ClientAuthenticator:
    """Authenticates the client of a form; an assertion must name `endpoint`, the token endpoint, as its audience."""

    def __init__(self, db: Database, clients: ClientRegistry, endpoint: str) -> None:
        self._db, self._clients, self.endpoint = db, clients, endpoint

    async def authenticate(self, form: Mapping[str, str]) -> SoftwareClient:
        """Return the client: by its assertion, or a public client by its client_id alone.

        Raises: `OAuthError` (invalid_client, 401) when neither identifies a client.
        """
        if "client_assertion" in form or "client_assertion_type" in form:
            return await self.authenticate_assertion(form)
        client = await self._clients.find(form.get("client_id", ""))
        if client is None or not client.public:
            raise OAuthError(
                "invalid_client",
                "client_id is not that of a public client; a confidential client must send client_assertion",
                401,
            )
        return client

    async def authenticate_assertion(self, form: Mapping[str, str]) -> SoftwareClient:
        """Return the client whose assertion a form has; each assertion is accepted once.

        Raises: `OAuthError` (invalid_client, 401) when the assertion is not valid.
        """
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise OAuthError("invalid_client", f"client_assertion_type must be {ASSERTION_TYPE}", 401)
        assertion = form.get("client_assertion", "")
        client = await self._clients.find(claimed_issuer(assertion))
        claims = verify_signature(assertion, client)
        if client is None or claims is None:
            raise OAuthError("invalid_client", "the client is unknown, or its signature is not valid", 401)
        check_claims(claims, client.client_id, self.endpoint, clock.now())
        if form.get("client_id", client.client_id) != client.client_id:
            raise OAuthError("invalid_client", "client_id and client_assertion name different clients", 401)
        expires = datetime.fromtimestamp(claims["exp"] + LEEWAY, UTC)
        try:
            await self._db.write([(client_store.ASSERTION, (client.client_id, hash_secret(claims["jti"]), expires))])
        except asyncpg.UniqueViolationError as error:
            raise OAuthError("invalid_client", "this assertion was used before: its jti must be new", 401) from error
        return client


def claimed_client_id(form: Mapping[str, str]) -> str:
    """Return the client_id that a form claims, unverified; "" when it cannot be read."""
    if "client_assertion" in form:
        return claimed_issuer(form["client_assertion"])
    return _name(form.get("client_id"))


def claimed_issuer(assertion: str) -> str:
    """Return the `iss` that an assertion claims, unverified; "" when it cannot be read."""
    try:
        claims = jws.extract_compact(assertion.encode()).payload
        return _name(_decode_object(claims).get("iss"))
    except (JoseError, ValueError, UnicodeError, RecursionError):
        return ""


def verify_signature(assertion: str, client: SoftwareClient | None) -> Json | None:
    """Return the claims of an assertion that a key of the client signed, or None."""
    if client is None or client.public:
        return None
    try:
        keys = KeySet.import_key_set(client.jwks)  # type: ignore[arg-type]
        token = jwt.decode(assertion, keys, algorithms=ALGORITHMS)
    except (JoseError, ValueError, UnicodeError, RecursionError):
        return None
    return dict(token.claims) if token.header.get("kid") else None


def check_claims(claims: Mapping[str, Any], client_id: str, endpoint: str, now: datetime) -> None:
    """Check the claims of an assertion against the rules of SMART App Launch.

    Raises: `OAuthError` (invalid_client, 401) for the first rule that is broken.
    """
    audience, jti = claims.get("aud"), claims.get("jti")
    expiry, not_before = _number(claims.get("exp")), _number(claims.get("nbf", 0))
    seconds = now.timestamp()
    latest = seconds + MAX_AGE.total_seconds() + LEEWAY
    checks = {
        "iss and sub must both be the client_id": (claims.get("iss"), claims.get("sub")) == (client_id, client_id),
        f"aud must be {endpoint}": endpoint in (audience if isinstance(audience, list) else [audience]),
        "exp must be a time in seconds that has not passed": expiry is not None and expiry > seconds - LEEWAY,
        "exp must be at most five minutes ahead": expiry is not None and expiry <= latest,
        "nbf must be a time in seconds that has come": not_before is not None and not_before <= seconds + LEEWAY,
        "jti must be a text of 1 to 256 characters": isinstance(jti, str) and 0 < len(jti) <= _MAX_TEXT,
    }
    for rule, passed in checks.items():
        if not passed:
            raise OAuthError("invalid_client", rule, 401)


def _name(value: object) -> str:
    return value if isinstance(value, str) and value.isprintable() and len(value) <= _MAX_TEXT else ""


def _decode_object(data: bytes) -> Json:
    decoded = orjson.loads(data)
    if not isinstance(decoded, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - one exception class for unreadable claims
    return decoded


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < _MAX_TIME else None
