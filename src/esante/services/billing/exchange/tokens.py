"""The token of the exchange: a JWS (RFC 7515) of the platform, as text of a binary security token.

It is of use to nobody but the holder of the key whose certificate it names (`cnf`, RFC 8705).
"""

import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from esante.core import clock
from esante.services.billing.exchange.faults import fault
from esante.services.billing.exchange.model import Token

LIFETIME = timedelta(minutes=30)
_ALGORITHM = "RS256"
_PLACE = "Header/Security/BinarySecurityToken"
_MAX_LENGTH = 8192


def issue_token(token: Token, key: RSAKey, address: str) -> str:
    """Return a token for the exchange at `address`, in base64."""
    claims = {
        "iss": address,
        "aud": address,
        "sub": str(token.practitioner_id),
        "exp": int(token.expires_at.timestamp()),
        "jti": str(uuid4()),
        "provider_code": token.provider_code,
        "cnf": {"x5t#S256": base64.urlsafe_b64encode(token.fingerprint).decode().rstrip("=")},
    }
    return base64.b64encode(jwt.encode({"alg": _ALGORITHM}, claims, key).encode()).decode()


def read_token(text: str, key: RSAKey, address: str) -> Token:
    """Return what a token says. Raises: `Problem` for one of another exchange, an altered or an expired one."""
    try:
        if len(text) > _MAX_LENGTH:
            raise ValueError("too long")
        claims = jwt.decode(base64.b64decode(text, validate=True).decode(), key, algorithms=[_ALGORITHM]).claims
        confirmation = claims["cnf"]["x5t#S256"]
        token = Token(
            practitioner_id=UUID(claims["sub"]),
            fingerprint=base64.urlsafe_b64decode(f"{confirmation}="),
            provider_code=claims["provider_code"],
            expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        )
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise fault("token-invalid", _PLACE) from error
    if (claims.get("iss"), claims.get("aud")) != (address, address):
        raise fault("token-invalid", _PLACE, "It is for another exchange.")
    if token.expires_at <= clock.now():
        raise fault("token-expired", _PLACE)
    return token
