"""How software signs in with its key for a kit (SMART Backend Services, RFC 7523): assertions, right and wrong."""

import time
from typing import Any
from uuid import uuid4

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, RSAKey

from esante.services.conformance.kits.checks import expect, expect_status
from esante.services.conformance.kits.model import NotApplicable
from esante.services.conformance.kits.session import Reply, Session

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_SECONDS = 240
"""For how long an assertion is valid; SMART Backend Services allows five minutes."""


def signing_key(session: Session) -> Any:
    """Return the client's private key. Raises: `NotApplicable`."""
    text = session.option("key")
    try:
        return JWKRegistry.import_key(orjson.loads(text))
    except (JoseError, ValueError) as error:
        raise NotApplicable(f"The option key is no JWK: {type(error).__name__}.") from error


def other_key(key: Any) -> Any:
    """Return a new key with the kind and the id of the client's."""
    kid = str(key.kid)
    if isinstance(key, ECKey):
        return ECKey.generate_key("P-384", parameters={"kid": kid}, private=True)
    return RSAKey.generate_key(2048, parameters={"kid": kid}, private=True)


def assertion(session: Session, key: Any, **changes: object) -> str:
    """Return an assertion of the client, signed with a key; `changes` of claims, None leaves one out."""
    client = session.option("client")
    claims = {
        "iss": client,
        "sub": client,
        "aud": session.value("token_endpoint"),
        "exp": int(time.time()) + ASSERTION_SECONDS,
        "jti": uuid4().hex,
    } | changes
    algorithm = "ES384" if isinstance(key, ECKey) else "RS384"
    given = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": algorithm, "kid": key.kid}, given, key, algorithms=[algorithm])


def token_form(session: Session, signed: str, scope: str, **changes: str) -> dict[str, str]:
    """Return the form of a request for a token with an assertion."""
    return {
        "grant_type": "client_credentials",
        "scope": scope,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": signed,
    } | changes


async def request_token(session: Session, form: dict[str, str]) -> Reply:
    """Return the answer of the token endpoint to a form."""
    return await session.send("POST", session.value("token_endpoint"), form=form)


def expect_token(reply: Reply) -> dict[str, Any]:
    """Return the token response (RFC 6749, section 5.1). Raises: `Fault`."""
    expect_status(reply, 200, remedy="Answer a valid assertion with a token.")
    found = reply.json()
    bearer = str(found.get("token_type", "")).lower() == "bearer" and found.get("access_token")
    expect(bearer, "There is no access_token of the type bearer.", "Answer with token_type bearer and access_token.")
    lifetime = found.get("expires_in")
    expect(isinstance(lifetime, int) and lifetime > 0, "expires_in is missing.", "Say how long the token is valid.")
    return dict(found)


def expect_oauth_error(reply: Reply, *allowed: str, remedy: str) -> None:
    """Raise `Fault` unless an answer is one of some errors of the token endpoint (RFC 6749, section 5.2)."""
    expect_status(reply, 400, 401, remedy=remedy)
    error = reply.json().get("error")
    expect(error in allowed, f"The error is {error!r}.", f"Answer with {' or '.join(allowed)}.")
