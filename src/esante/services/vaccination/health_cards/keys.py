"""The keys that sign cards: the private one in a file that only its owner reads, the public ones in the database.

Once a key is retired its private half is destroyed; the public one stays published (SMART Health Cards, "Key
Management").
"""

from pathlib import Path

from joserfc.jwk import ECKey

from esante.core.storage import read_or_create_key, replace_key
from esante.core.types import Json


class SigningKeys:
    """The key file at `path`, made when it is missing."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def current(self) -> ECKey:
        """Return the key that signs, as it stands in the file: a rotation by a command takes effect at once."""
        return _import(read_or_create_key(self._path, _generate))

    def replace(self, key: ECKey) -> None:
        """Let `key` sign from now on; the one before is destroyed."""
        replace_key(self._path, key.as_pem(private=True))


def new_key() -> ECKey:
    """Return a new key."""
    return _import(_generate())


def public_half(key: ECKey) -> Json:
    """Return the public half as it is published (JWK)."""
    public = key.as_dict(private=False)
    return {name: public[name] for name in ("kty", "kid", "use", "alg", "crv", "x", "y")}


def _import(pem: bytes) -> ECKey:
    kid = ECKey.import_key(pem).thumbprint()
    return ECKey.import_key(pem, {"kid": kid, "use": "sig", "alg": "ES256"})


def _generate() -> bytes:
    return ECKey.generate_key("P-256").as_pem(private=True)
