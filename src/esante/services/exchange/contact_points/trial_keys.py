"""Throw-away keys of a contact point, for trials and demonstrations."""

from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from esante.services.exchange.contact_points.own import SEAL, SEAL_KEY, TLS, TLS_KEY

LASTS = timedelta(days=90)
_BITS = 3072


def write_trial_keys(folder: Path, country: str, host: str, now: datetime) -> None:
    """Write a seal and a certificate for connections, each signed by itself, with their keys.

    Raises: FileExistsError where there are keys already.
    """
    for each in (folder.parent, folder):  # the data folder too: a database is refused in one that others can open
        each.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in (SEAL_KEY, SEAL, TLS_KEY, TLS):
        if (folder / name).exists():
            raise FileExistsError(f"{folder / name} is there already")
    _write_pair(folder, SEAL_KEY, SEAL, _name(f"GRP:EHEALTH_NCP_TRIAL_{country}", country), "", now)
    _write_pair(folder, TLS_KEY, TLS, _name(host, country), host, now)


def _name(common_name: str, country: str) -> x509.Name:
    values = (
        (NameOID.COUNTRY_NAME, country),
        (NameOID.ORGANIZATION_NAME, "Trial without legal effect"),
        (NameOID.COMMON_NAME, common_name),
    )
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in values])


def _write_pair(folder: Path, key_file: str, file: str, name: x509.Name, host: str, now: datetime) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + LASTS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    if host:
        usage = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False).add_extension(
            x509.SubjectAlternativeName([_alternative(host)]), critical=False
        )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / key_file).touch(mode=0o600)
    (folder / key_file).write_bytes(pem)
    (folder / file).write_bytes(builder.sign(key, SHA256()).public_bytes(Encoding.PEM))


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
