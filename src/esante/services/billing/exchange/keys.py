"""The key with which the exchange signs answers and tokens, and its certificate."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import NameOID
from joserfc.jwk import RSAKey

from esante.core import clock
from esante.core.storage import read_or_create_key

_KEY_BITS = 3072
_YEARS = 3


@dataclass(frozen=True)
class ExchangeKey:
    """The content of a key file: a private RSA key and its certificate, both PEM."""

    pem: bytes

    @classmethod
    def open(cls, path: Path) -> "ExchangeKey":
        """Return the key in a file; one is made, with a certificate of its own, when there is no file."""
        return cls(read_or_create_key(path, _generate))

    @cached_property
    def private(self) -> rsa.RSAPrivateKey:
        """The key. Raises: ValueError when the file holds no RSA key."""
        key = load_pem_private_key(self.pem, None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ValueError("the key of the exchange must be RSA")  # noqa: TRY004 - the file is wrong, not the type
        return key

    @cached_property
    def certificate(self) -> x509.Certificate:
        """The certificate, by which software verifies answers."""
        return x509.load_pem_x509_certificate(self.pem)

    @cached_property
    def jwk(self) -> RSAKey:
        """The key, for tokens."""
        return RSAKey.import_key(self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _generate() -> bytes:
    key = rsa.generate_private_key(65537, _KEY_BITS)
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "esante exchange")]), clock.now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=365 * _YEARS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem + certificate.public_bytes(Encoding.PEM)
