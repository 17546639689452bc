"""Id tokens: to an app, a signed statement of who uses it.

Source: OpenID Connect Core 1.0, section 2; HL7 SMART App Launch 2.2, "Scopes for requesting identity data", which
asks for RS256. Signatures are joserfc's business.
"""

from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID

from joserfc import jwt
from joserfc.jwk import RSAKey

from esante.core.storage import read_or_create_key

ALGORITHM = "RS256"
LIFETIME = timedelta(minutes=5)
"""An app reads an id token when it gets it."""
_BITS = 3_072
_FACES = {"patient": "Patient", "practitioner": "Practitioner"}


class Identity:
    """The key that signs id tokens: in the PEM file at `path`, made there when missing; None: of this process alone.

    `issuer`: the platform's address as clients know it.
    """

    def __init__(self, issuer: str, path: Path | None = None) -> None:
        self.issuer, self._path = issuer, path

    @cached_property
    def _key(self) -> RSAKey:
        pem = read_or_create_key(self._path, _new_key) if self._path else _new_key()
        key = RSAKey.import_key(pem)
        if not key.is_private:
            raise TypeError(f"{self._path} holds a public key; signing needs the private one")
        return RSAKey.import_key(pem, {"kid": key.thumbprint(), "alg": ALGORITHM, "use": "sig"})

    def keys(self) -> dict[str, Any]:
        """The public key as a JWK set (RFC 7517)."""
        return {"keys": [self._key.as_dict(private=False)]}

    def claims(self, kind: str, id_: UUID, *, with_user: bool) -> dict[str, str]:
        """Who somebody is to an app; `with_user`: with the address of the FHIR resource that stands for him or her."""
        claims = {"iss": self.issuer, "sub": str(id_)}
        return claims | ({"fhirUser": f"{self.issuer}/fhir/{_FACES[kind]}/{id_}"} if with_user else {})

    def token(self, claims: dict[str, str], client_id: str, nonce: str) -> str:
        """An id token for an app; `nonce` comes from its request, "" for none."""
        now = datetime.now(UTC)
        times = {"iat": int(now.timestamp()), "exp": int((now + LIFETIME).timestamp())}
        told = {**claims, "aud": client_id, **times, **({"nonce": nonce} if nonce else {})}
        head = {"alg": ALGORITHM, "kid": self._key.kid, "typ": "JWT"}
        return jwt.encode(head, told, self._key, algorithms=[ALGORITHM])


def _new_key() -> bytes:
    return RSAKey.generate_key(_BITS).as_pem(private=True)
