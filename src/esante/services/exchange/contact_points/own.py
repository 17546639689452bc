"""The identity of this contact point: its country, its seal, its certificate for connections."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from esante.services.exchange.assertions.issuer import Issuer

SEAL_KEY, SEAL = "seal.pem", "seal.crt"
TLS_KEY, TLS = "tls.pem", "tls.crt"
AUTHORITIES = "authorities.pem"
MIN_KEY_BITS = 2048


class NotConfigured(Exception):
    """The contact point cannot work as it is set up; the text says what is missing, and the remedy."""


@dataclass(frozen=True, slots=True)
class Own:
    """This contact point.

    `authorities`: the issuers whose seals are accepted; where there are none, each seal is confirmed.
    """

    country: str
    home: str
    issuer: Issuer = field(repr=False)
    tls: x509.Certificate = field(repr=False)
    tls_file: Path
    tls_key_file: Path
    authorities: Sequence[x509.Certificate] = field(repr=False)


def load_own(folder: Path, country: str, home: str) -> Own:
    """Return the identity in a folder. Raises: `NotConfigured`."""
    seal, key = _certificate(folder / SEAL), _key(folder / SEAL_KEY)
    tls, tls_key = _certificate(folder / TLS), _key(folder / TLS_KEY)
    for certificate, its_key, name in ((seal, key, SEAL), (tls, tls_key, TLS)):
        if _public(certificate.public_key()) != _public(its_key.public_key()):
            raise NotConfigured(f"{folder / name}: the certificate is of another key; put both of one pair there")
    authorities = folder / AUTHORITIES
    return Own(
        country=country,
        home=home,
        issuer=Issuer(country, home, key, seal),
        tls=tls,
        tls_file=folder / TLS,
        tls_key_file=folder / TLS_KEY,
        authorities=_certificates(authorities) if authorities.exists() else (),
    )


def is_in_force(certificate: x509.Certificate, at: datetime) -> bool:
    """Return whether a certificate is valid at a moment by its own dates."""
    return certificate.not_valid_before_utc <= at < certificate.not_valid_after_utc


def _key(file: Path) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except OSError as error:
        raise NotConfigured(_missing(file)) from error
    except (ValueError, TypeError) as error:
        raise NotConfigured(f"{file}: this is no private key in PEM without a password") from error
    if not isinstance(key, RSAPrivateKey) or key.key_size < MIN_KEY_BITS:
        raise NotConfigured(f"{file}: an RSA key of at least {MIN_KEY_BITS} bits is needed")
    return key


def _certificate(file: Path) -> x509.Certificate:
    return _certificates(file)[0]


def _certificates(file: Path) -> Sequence[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(file.read_bytes())
    except OSError as error:
        raise NotConfigured(_missing(file)) from error
    except ValueError as error:
        raise NotConfigured(f"{file}: this is no certificate in PEM") from error


def _missing(file: Path) -> str:
    return f"{file} is missing; put it there, or make throw-away ones for a trial with: esante ncp keys"


def _public(key: object) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined, no-any-return]
