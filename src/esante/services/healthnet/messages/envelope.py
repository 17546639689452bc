"""What sites send each other: signed by the key of the sender's certificate (JWS), encrypted for the recipient (JWE).

Everything here is done at sites. Signature first, encryption around it (RFC 7516, 7519 section 11.2), and the signed
part names the message, its sender and its recipient: a recipient cannot pass it on as if it were for somebody else.
"""

import base64
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwe, jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from esante.services.healthnet.certificates.algorithms import algorithm_of
from esante.services.healthnet.certificates.authority import NotCertified, verify_site

JWS_ALGORITHMS = {"ecdsa-p256": "ES256", "ecdsa-p384": "ES384", "ed25519": "Ed25519"}
"""How keys of certificates sign, by the algorithm of the key (RFC 7518, 9864)."""
KEY_AGREEMENT, ENCRYPTION = "ECDH-ES+A256KW", "A256GCM"
_BASE64URL = re.compile(rb"[A-Za-z0-9_-]+")
MAX_CONTENT = 5_000_000
"""Bytes of a content: its envelope then is within the bound of the platform."""


class _Jws(jws.JWSRegistry):
    """Signatures with certificates in their header, of contents of this size; the library's bounds are for tokens."""

    max_header_length = 10_000
    max_payload_length = 2 * MAX_CONTENT


class _Jwe(jwe.JWERegistry):
    """Encrypted contents of this size."""

    max_ciphertext_length = 2 * MAX_CONTENT


class NotReadable(ValueError):
    """A message or a statement that is not accepted; the text says why."""


class SiteContent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a sender signs: the message and its content. `media_type`: as of HTTP; `name`: of the file."""

    message_id: UUID
    sender: str
    recipient: str
    name: str
    media_type: str
    content: bytes


class KeyStatement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a site signs about the key with which others encrypt for it (JWK, X25519)."""

    site: str
    key: dict[str, str]
    at: datetime

    @property
    def thumbprint(self) -> str:
        """The name of the key (RFC 7638)."""
        return str(OKPKey.import_key(self.key).thumbprint())  # type: ignore[arg-type]


@dataclass(frozen=True)
class SiteSigner:
    """The key of a site's certificate, and the certificate with its chain: site, intermediate, root."""

    key: Any
    chain: tuple[x509.Certificate, ...]

    def sign(self, payload: bytes) -> str:
        """Return a JWS (compact) with the certificates of the site and of the intermediate authority in it."""
        algorithm = JWS_ALGORITHMS[algorithm_of(self.key.public_key())]
        header = {"alg": algorithm, "x5c": [base64.b64encode(_der(one)).decode() for one in self.chain[:2]]}
        kind = OKPKey if algorithm == "Ed25519" else ECKey
        return jws.serialize_compact(header, payload, kind.import_key(self.key), registry=_Jws(algorithms=[algorithm]))


def verify_signed(text: str, root: x509.Certificate, at: datetime) -> tuple[str, bytes]:
    """Return the site that signed a JWS with a certificate that the root vouched for at a moment, and the payload.

    Raises: NotReadable.
    """
    try:
        header = jws.extract_compact(text.encode(), registry=_Jws()).headers()
        leaf, intermediate = (x509.load_der_x509_certificate(base64.b64decode(one)) for one in header["x5c"])
        intermediate.verify_directly_issued_by(root)
        site = verify_site(intermediate, leaf, at)
    except (JoseError, NotCertified, InvalidSignature, ValueError, TypeError, KeyError) as error:
        raise NotReadable(f"the certificate of the signature is not valid ({error})") from error
    return site, verify_by(text, leaf)


def verify_by(text: str, certificate: x509.Certificate) -> bytes:
    """Return the payload of a JWS that the key of a certificate signed. Raises: NotReadable."""
    algorithm = JWS_ALGORITHMS[algorithm_of(certificate.public_key())]
    kind = OKPKey if algorithm == "Ed25519" else ECKey
    pem = certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    try:
        return jws.deserialize_compact(text, kind.import_key(pem), registry=_Jws(algorithms=[algorithm])).payload
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise NotReadable(f"the signature is not that of the site ({error})") from error


def verify_statement(text: str, root: x509.Certificate, at: datetime) -> KeyStatement:
    """Return what a site states about its key. Raises: NotReadable."""
    site, payload = verify_signed(text, root, at)
    return parse_statement(payload, site)


def parse_statement(payload: bytes, site: str) -> KeyStatement:
    """Return a statement that a site has signed. Raises: NotReadable for one about another site or kind of key."""
    try:
        found = msgspec.json.decode(payload, type=KeyStatement)
        key = OKPKey.import_key(found.key)  # type: ignore[arg-type]
    except (msgspec.DecodeError, JoseError, ValueError, TypeError, KeyError) as error:
        raise NotReadable(f"this is no statement about a key ({error})") from error
    if found.site != site or found.key.get("crv") != "X25519" or key.is_private or found.at.tzinfo is None:
        raise NotReadable("the statement is about another site, or its key is not a public key of X25519")
    return found


def seal(content: SiteContent, signer: SiteSigner, recipient: KeyStatement) -> bytes:
    """Return a content as it is sent: signed, then encrypted for the recipient's key."""
    signed = signer.sign(msgspec.msgpack.encode(content))
    key = OKPKey.import_key(recipient.key)  # type: ignore[arg-type]
    header = {"alg": KEY_AGREEMENT, "enc": ENCRYPTION, "kid": key.thumbprint(), "cty": "JOSE"}
    return jwe.encrypt_compact(
        header, signed.encode(), key, registry=_Jwe(algorithms=[KEY_AGREEMENT, ENCRYPTION])
    ).encode()


def check_sealed(data: bytes) -> None:
    """Raise NotReadable unless bytes have the form of an encrypted content: the platform keeps nothing else."""
    header = _jwe_header(data)
    if (header.get("alg"), header.get("enc")) != (KEY_AGREEMENT, ENCRYPTION) or "zip" in header:
        raise NotReadable(f"contents are encrypted with {KEY_AGREEMENT} and {ENCRYPTION}, and not compressed")


def unseal(
    data: bytes, key_of: Callable[[str], OKPKey | None], root: x509.Certificate, accepted_at: datetime
) -> SiteContent:
    """Return a content, decrypted with the own key that it names, whose sender's signature holds.

    `accepted_at`: the moment of the receipt of acceptance, at which the sender's certificate must have been valid.
    Raises: NotReadable.
    """
    check_sealed(data)
    key = key_of(str(_jwe_header(data).get("kid", "")))
    if key is None:
        raise NotReadable("the message is encrypted for a key that this site does not have")
    try:
        signed = jwe.decrypt_compact(data, key, registry=_Jwe(algorithms=[KEY_AGREEMENT, ENCRYPTION])).plaintext or b""
    except (JoseError, ValueError, TypeError) as error:
        raise NotReadable("the message cannot be decrypted") from error
    site, payload = verify_signed(signed.decode("ascii", "replace"), root, accepted_at)
    try:
        found = msgspec.msgpack.decode(payload, type=SiteContent)
    except msgspec.DecodeError as error:
        raise NotReadable(f"the content has another form ({error})") from error
    if found.sender != site:
        raise NotReadable(f"the message says that it is from {found.sender[:40]!r}, and {site} has signed it")
    return found


def _jwe_header(data: bytes) -> dict[str, Any]:
    """Return the header of a JWE (RFC 7516, section 7.1). Raises: NotReadable."""
    parts = data.split(b".")
    try:
        header = msgspec.json.decode(urlsafe_b64decode(parts[0] + b"=="), type=dict[str, Any])
    except (ValueError, RecursionError) as error:
        raise NotReadable("this is no JWE in the compact form") from error
    if len(parts) != 5 or not all(map(_BASE64URL.fullmatch, parts)):
        raise NotReadable("this is no JWE in the compact form")
    return header


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)
