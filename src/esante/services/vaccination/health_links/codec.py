"""The formats of a SMART Health Link: its address, encrypted files, hashes of what the server must not know.

Source: HL7 SMART Health Cards and Links 1.0.0, "SMART Health Links Sharing Application Generates a SMART Health Link
URI", "Encrypting and Decrypting Files".
"""

import hashlib
import secrets
from base64 import urlsafe_b64encode
from datetime import datetime

import orjson
from joserfc.jwe import encrypt_compact
from joserfc.jwk import OctKey

from esante.core.types import Json
from esante.services.vaccination.health_links.model import EncryptedFile

KEY_BYTES = 32
_ADDRESS_BYTES = 32
_PIN_DIGITS = 6
_SCRYPT = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}
"""The costs of a hash of a PIN: 16 MiB and about 50 ms."""


def new_address() -> str:
    """Return the unguessable part of a manifest's address: 256 random bits."""
    return secrets.token_urlsafe(_ADDRESS_BYTES)


def new_pin() -> str:
    """Return a random PIN of six digits."""
    return f"{secrets.randbelow(10**_PIN_DIGITS):0{_PIN_DIGITS}d}"


def hash_address(address: str) -> bytes:
    """Return the SHA-256 by which a link is stored (32 bytes)."""
    return hashlib.sha256(b"esante health link\n" + address.encode()).digest()


def hash_pin(pin: str, address_hash: bytes) -> bytes:
    """Return the scrypt hash of a PIN, salted with its link (32 bytes)."""
    return hashlib.scrypt(pin.encode(), salt=address_hash, **_SCRYPT)


def encrypt(content: bytes, content_type: str, key: bytes) -> EncryptedFile:
    """Return a file encrypted with the link's key (32 bytes): alg `dir`, enc `A256GCM`."""
    header = {"alg": "dir", "enc": "A256GCM", "cty": content_type}
    jwe = encrypt_compact(header, content, OctKey.import_key(key), algorithms=["dir", "A256GCM"])
    return EncryptedFile(content_type, jwe)


def link_uri(url: str, key: bytes, label: str, expires_at: datetime) -> str:
    """Return the link (`shlink:/`) to a manifest at `url`, which needs a PIN (flag P)."""
    payload: Json = {
        "url": url,
        "key": _base64url(key),
        "exp": int(expires_at.timestamp()),
        "flag": "P",
        "label": label,
    }
    return f"shlink:/{_base64url(orjson.dumps(payload))}"


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
