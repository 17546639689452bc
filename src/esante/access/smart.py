"""SMART Backend Services: software signs in with a key of its own (private_key_jwt).

Source: HL7 SMART App Launch 2.2, "Backend Services" and "Client Authentication: Asymmetric"; RFC 7523;
RFC 6749, sections 4.4 and 5.2. Signatures are joserfc's business.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import orjson
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

from esante.access import store_signin
from esante.access.events import ClientRegistered, SignInRefused
from esante.access.limits import count_attempt
from esante.access.matrix import policy
from esante.access.scopes import common_scopes, parse_scope
from esante.access.signin import SignIn, requester_of
from esante.access.store_signin import SoftwareClient
from esante.directory import Directory
from esante.journal import SYSTEM, Actor, Journal
from esante.storage import Database, insert

ALGORITHMS = ["ES384", "RS384"]
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME = timedelta(minutes=5)
MAX_AGE = timedelta(minutes=5)
LEEWAY = 10
"""Seconds by which two clocks may differ."""
_MAX_TEXT = 256
_MIN_RSA_BITS = 2_048
_MAX_TIME = 1e12


class OAuthError(Exception):
    """A refusal of the token endpoint: `error` is the code of RFC 6749, section 5.2."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error, self.description, self.status = error, description, status


@dataclass(frozen=True, slots=True)
class Issued:
    """What the token endpoint answers."""

    token: str
    scopes: frozenset[str]
    lifetime: timedelta


class Smart:
    """The registry of software clients, and the tokens they get."""

    def __init__(self, db: Database, journal: Journal, directory: Directory, signin: SignIn, endpoint: str) -> None:
        self._db, self._journal, self._directory, self._signin = db, journal, directory, signin
        self.endpoint = endpoint

    async def register_client(self, client: SoftwareClient, *, actor: Actor = SYSTEM, origin: str = "") -> None:
        """Register a client or replace its registration; ValueError for keys or scopes that cannot serve."""
        check_client(client)
        if await self._directory.organization(client.organization_id) is None:
            raise ValueError(f"client {client.client_id}: its organisation is not in the directory")
        told = ClientRegistered(
            client_id=client.client_id,
            organization_id=client.organization_id,
            scopes=" ".join(sorted(client.scopes)),
            disabled=client.disabled,
        )
        async with self._db.transaction() as conn:
            await store_signin.put_client(conn, client)
            await insert(conn, self._journal.rows(told, actor=actor, origin=origin))

    async def token(self, form: Mapping[str, str], origin: str) -> Issued:
        """A token for the form of a token request; raises OAuthError, and Problem 429 after too many refusals.

        The assertion must name the token endpoint's address, `endpoint`, as its audience.
        """
        claimed = ""
        try:
            if form.get("grant_type") != "client_credentials":
                raise OAuthError("unsupported_grant_type", "grant_type must be client_credentials")
            if form.get("client_assertion_type") != ASSERTION_TYPE:
                raise OAuthError("invalid_client", f"client_assertion_type must be {ASSERTION_TYPE}", 401)
            assertion = form.get("client_assertion", "")
            claimed = _issuer(assertion)
            client = await self._authenticated(assertion, claimed)
            return await self._issue(client, form.get("scope", ""), origin)
        except OAuthError as error:
            await self._refused(claimed, error, origin)
            raise

    async def _authenticated(self, assertion: str, claimed: str) -> SoftwareClient:
        client = await store_signin.client(self._db, claimed)
        claims = verified(assertion, client)
        if client is None or claims is None:
            raise OAuthError("invalid_client", "the client is not known, or its signature does not hold", 401)
        check_claims(claims, client.client_id, self.endpoint, datetime.now(UTC))
        used = hashlib.sha256(claims["jti"].encode()).digest()
        expires = datetime.fromtimestamp(claims["exp"] + LEEWAY, UTC)
        try:
            await self._db.write([(store_signin.ASSERTION, (client.client_id, used, expires))])
        except asyncpg.UniqueViolationError as error:
            raise OAuthError("invalid_client", "this assertion was used before: its jti must be new", 401) from error
        return client

    async def _issue(self, client: SoftwareClient, scope: str, origin: str) -> Issued:
        asked = scope.split()
        scopes = common_scopes(asked, client.scopes)
        if not scopes:
            raise OAuthError("invalid_scope", "none of the scopes asked for is allowed to this client")
        organization = await self._directory.organization(client.organization_id)
        if organization is None:
            raise OAuthError("invalid_client", "the client's organisation is no longer in the directory", 401)
        requester = replace(requester_of(organization), client=client.name, client_id=client.client_id, origin=origin)
        return Issued(await self._signin.issue_token(requester, scopes, LIFETIME), scopes, LIFETIME)

    async def _refused(self, claimed: str, error: OAuthError, origin: str) -> None:
        terms = policy(datetime.now(UTC).date())
        await count_attempt(self._db, {f"oauth:{origin}": terms.attempts_per_origin}, terms.attempt_window)
        told = SignInRefused(method="smart", subject=claimed, reason=error.error)
        await self._journal.append(told, origin=origin)


def check_client(client: SoftwareClient) -> None:
    """ValueError unless the keys are public, named and usable for ES384 or RS384, and the scopes are known."""
    if not client.client_id or len(client.client_id) > _MAX_TEXT:
        raise ValueError("client_id: 1 to 256 characters")
    unknown = [scope for scope in client.scopes if not ((one := parse_scope(scope)) and one.level == "system")]
    if unknown or not client.scopes:
        raise ValueError(f"client {client.client_id}: scopes must be like system/DocumentReference.rs, not {unknown}")
    try:
        keys = KeySet.import_key_set(client.jwks)  # type: ignore[arg-type]
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"client {client.client_id}: its key set cannot be read") from error
    if len(keys.keys) != len(client.jwks["keys"]):
        raise ValueError(f"client {client.client_id}: a key is of an unknown kind")
    for data, key in zip(client.jwks["keys"], keys.keys, strict=True):
        if not data.get("kid") or key.is_private or not _usable(key):
            rule = "each key must be public, have a kid, and be EC P-384 or RSA of 2048 bits or more"
            raise ValueError(f"client {client.client_id}: {rule}")


def _usable(key: Any) -> bool:
    if isinstance(key, ECKey):
        return key.curve_name == "P-384"
    return isinstance(key, RSAKey) and key.public_key.key_size >= _MIN_RSA_BITS


def _issuer(assertion: str) -> str:
    """Who an assertion claims to be from, before anything is believed; "" when it cannot be read."""
    try:
        claims = jws.extract_compact(assertion.encode()).payload
        issuer = _json(claims).get("iss", "")
    except (JoseError, ValueError, UnicodeError, RecursionError):
        return ""
    return issuer if isinstance(issuer, str) and issuer.isprintable() and len(issuer) <= _MAX_TEXT else ""


def _json(data: bytes) -> dict[str, Any]:
    found = orjson.loads(data)
    if not isinstance(found, dict):
        raise ValueError("not an object")  # noqa: TRY004 - one kind of error for what cannot be read
    return found


def verified(assertion: str, client: SoftwareClient | None) -> dict[str, Any] | None:
    """The claims of an assertion whose signature a key of the client holds, or None."""
    if client is None:
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


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < _MAX_TIME else None
