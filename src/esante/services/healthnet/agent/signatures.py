"""Signatures of requests: HTTP Message Signatures (RFC 9421) with the digest of the body (RFC 9530), one profile.

Agent and controller share this module; nothing but the standard library and `cryptography`.
"""

import hashlib
import re
from base64 import b64decode, b64encode
from binascii import Error as NoBase64
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_COMPONENTS = '("@method" "@path" "@query" "content-digest")'
_INPUT = re.compile(
    re.escape(f"sig1={_COMPONENTS}")
    + r';created=(\d{1,12});nonce="(\d{1,15})";keyid="([A-Za-z0-9._-]{1,64})";alg="(ed25519)"'
)


@dataclass(frozen=True)
class Signed:
    """What a request says of its signature; nothing of it is verified. `sequence`: the number of the request."""

    site: str
    created: int
    sequence: int
    parameters: str


def _digest(body: bytes) -> str:
    return f"sha-256=:{b64encode(hashlib.sha256(body).digest()).decode()}:"


def _base(method: str, path: str, query: str, body: bytes, parameters: str) -> bytes:
    return (
        f'"@method": {method}\n"@path": {path}\n"@query": ?{query}\n'
        f'"content-digest": {_digest(body)}\n"@signature-params": {parameters}'
    ).encode()


def sign_request(
    key: Ed25519PrivateKey, site: str, method: str, path: str, query: str, body: bytes, created: int, sequence: int
) -> dict[str, str]:
    """Return the headers of a signed request."""
    parameters = f'{_COMPONENTS};created={created};nonce="{sequence}";keyid="{site}";alg="ed25519"'
    value = b64encode(key.sign(_base(method, path, query, body, parameters))).decode()
    return {
        "Content-Digest": _digest(body),
        "Signature-Input": f"sig1={parameters}",
        "Signature": f"sig1=:{value}:",
    }


def parse_signature(headers: Mapping[str, str]) -> Signed | None:
    """Return what a request says of its signature, None when it has none of this profile."""
    found = _INPUT.fullmatch(headers.get("signature-input", ""))
    if found is None:
        return None
    return Signed(found[3], int(found[1]), int(found[2]), found[0].removeprefix("sig1="))


def is_signed_by(
    public: bytes, signed: Signed, headers: Mapping[str, str], method: str, path: str, query: str, body: bytes
) -> bool:
    """Return whether the signature of a request, its body included, is that of a key."""
    value = headers.get("signature", "")
    if not (value.startswith("sig1=:") and value.endswith(":")) or headers.get("content-digest") != _digest(body):
        return False
    try:
        signature = b64decode(value[6:-1], validate=True)
        Ed25519PublicKey.from_public_bytes(public).verify(
            signature, _base(method, path, query, body, signed.parameters)
        )
    except (InvalidSignature, NoBase64, ValueError):
        return False
    return True
