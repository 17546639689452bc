"""The certificate of a site at its agent: requested with the key of the agent, renewed in time.

| file | holds |
|---|---|
| `certificate.pem` | the certificate and those of the authorities above it |
| `certificate.key` | its private key in PEM, for servers and clients of the site |
| `certificate.json` | `renew_at`: the time of its renewal, as the authority said |
"""

from datetime import UTC
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from esante.services.healthnet.agent.state import State

RENEWALS = "/healthnet/certificates/renew"
RETRY = 300.0
"""Seconds between tries to get a certificate."""


def request_for(state: State, site: str) -> str:
    """Return a request (PEM) for the certificate of a site."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, site)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(state.identity(), None)
    return request.public_bytes(Encoding.PEM).decode()


def keep(state: State, answer: Any) -> None:
    """Keep a certificate that the authority gave. Raises: ValueError for one of another key, KeyError, TypeError."""
    pem, renew_at = answer["certificate"].encode(), int(answer["renew_at"])
    key = state.identity()
    if _raw(x509.load_pem_x509_certificate(pem).public_key()) != _raw(key.public_key()):
        raise ValueError("the certificate is of another key")
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    state.write("certificate.key", private)
    state.write("certificate.pem", pem, 0o644)
    state.write_json("certificate.json", {"renew_at": renew_at})


def not_after(state: State) -> int | None:
    """Return the end of the certificate in seconds since 1970, None when there is none."""
    try:
        found = x509.load_pem_x509_certificate((state.folder / "certificate.pem").read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    if hasattr(found, "not_valid_after_utc"):
        return int(found.not_valid_after_utc.timestamp())
    return int(found.not_valid_after.replace(tzinfo=UTC).timestamp())  # `cryptography` before 42


def is_due(state: State, now: float) -> bool:
    """Return whether a certificate is needed: there is none, or the time of its renewal has come."""
    kept = state.read_json("certificate.json")
    renew_at = kept.get("renew_at") if isinstance(kept, dict) else None
    return not isinstance(renew_at, int) or renew_at <= now or not (state.folder / "certificate.pem").exists()


def _raw(public: Any) -> bytes:
    return bytes(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
