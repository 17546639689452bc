"""Id tokens: signed statements to a client of who uses it.

Source: OpenID Connect Core 1.0, section 2; HL7 SMART App Launch 2.2, "Scopes for requesting identity data", which
requires RS256. joserfc makes the signatures.
"""

from datetime import timedelta
from functools import cached_property
from pathlib import Path
from uuid import UUID

from joserfc import jwt
from joserfc.jwk import RSAKey

from esante.core import clock
from esante.core.storage import read_or_create_key
from esante.core.types import Json

ALGORITHM = "RS256"
LIFETIME = timedelta(minutes=5)
"""Short: a client reads an id token when it receives it."""
_KEY_BITS = 3_072
_RESOURCE_TYPES = {"patient": "Patient", "practitioner": "Practitioner"}


class IdTokenIssuer:
    """Issues id tokens, signed with the key in the PEM file at `path`.

    The file is made when missing; None: a key of this process alone. `issuer`: the platform's address as clients know
    it.
    """

    def __init__(self, issuer: str, path: Path | None = None) -> None:
        self.issuer, self._path = issuer, path

    @cached_property
    def _key(self) -> RSAKey:
        pem = read_or_create_key(self._path, _generate_key) if self._path else _generate_key()
        key = RSAKey.import_key(pem)
        if not key.is_private:
            raise TypeError(f"{self._path} holds a public key; signing needs the private one")
        return RSAKey.import_key(pem, {"kid": key.thumbprint(), "alg": ALGORITHM, "use": "sig"})

    def jwks(self) -> Json:
        """Return the public key as a JWK set (RFC 7517)."""
        return {"keys": [self._key.as_dict(private=False)]}

    def user_claims(self, kind: str, id_: UUID, *, with_fhir_user: bool) -> dict[str, str]:
        """Return the claims that identify a patient or a practitioner.

        `with_fhir_user`: with `fhirUser`, the address of the FHIR resource that represents them.
        """
        claims = {"iss": self.issuer, "sub": str(id_)}
        if with_fhir_user:
            claims["fhirUser"] = f"{self.issuer}/fhir/{_RESOURCE_TYPES[kind]}/{id_}"
        return claims

    def issue(self, user_claims: dict[str, str], client_id: str, nonce: str) -> str:
        """Return an id token for a client; `nonce` is that of its authorization request, "" for none."""
        now = clock.now()
        times = {"iat": int(now.timestamp()), "exp": int((now + LIFETIME).timestamp())}
        claims = {**user_claims, "aud": client_id, **times, **({"nonce": nonce} if nonce else {})}
        header = {"alg": ALGORITHM, "kid": self._key.kid, "typ": "JWT"}
        return jwt.encode(header, claims, self._key, algorithms=[ALGORITHM])


def _generate_key() -> bytes:
    return RSAKey.generate_key(_KEY_BITS).as_pem(private=True)
