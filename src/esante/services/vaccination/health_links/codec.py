"""The formats of a SMART Health Link: its URI, its encrypted files, the hash of its address.

Source: HL7 SMART Health Cards and Links 1.0.0, "SMART Health Links Sharing Application Generates a SMART Health Link
URI", "Encrypting and Decrypting Files".
"""

from base64 import urlsafe_b64encode
from datetime import datetime

import orjson
from joserfc.jwe import encrypt_compact
from joserfc.jwk import OctKey

from esante.core import link_secrets
from esante.core.types import Json
from esante.services.vaccination.health_links.model import EncryptedFile

KEY_BYTES = 32


def hash_address(address: str) -> bytes:
    """Return the SHA-256 by which a link is stored (32 bytes)."""
    return link_secrets.hash_address("esante health link", address)


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
