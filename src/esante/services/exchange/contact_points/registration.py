"""The registration of a contact point: a folder with what its country sent, checked as a whole.

contact-point.toml    country, home_community (an OID), languages, offers and asks (classes of documents, LOINC)
*.crt, *.pem          seals of the contact point, in PEM
*.xml                 its service metadata, one file for each transaction and one for the search mask
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from esante.services.exchange.contact_points.model import ContactPoint, MaskField, Transaction
from esante.services.exchange.contact_points.own import MIN_KEY_BITS, is_in_force
from esante.services.exchange.contact_points.service_metadata import Other, ServiceMetadata, read_metadata
from esante.services.exchange.model import Fault, NotUsable

DESCRIPTION = "contact-point.toml"
MAX_FILES, MAX_BYTES = 40, 512 * 1024
_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]{0,38})){2,40}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_LOINC = re.compile(r"[0-9]{1,7}-[0-9]")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")


@dataclass(frozen=True, slots=True)
class _Description:
    country: str
    home: str
    languages: Sequence[str]
    offers: frozenset[str]
    asks: frozenset[str]


@dataclass(slots=True)
class _Found:
    """What the files of a folder say, and what is wrong with them."""

    faults: list[Fault] = field(default_factory=list)
    seals: list[x509.Certificate] = field(default_factory=list)
    metadata: list[ServiceMetadata] = field(default_factory=list)


def read_files(folder: Path) -> Mapping[str, bytes]:
    """Return the files of a folder by name. Raises: `NotUsable` for too many or too large ones."""
    files = [
        one for one in sorted(folder.iterdir()) if one.is_file() and one.suffix in (".toml", ".crt", ".pem", ".xml")
    ]
    if len(files) > MAX_FILES:
        raise NotUsable(Fault(f"there are more than {MAX_FILES} files", str(folder), "Give the files of one country"))
    for one in files:
        if one.stat().st_size > MAX_BYTES:
            raise NotUsable(Fault(f"it has more than {MAX_BYTES:,} bytes", one.name, "Remove the file"))
    return {one.name: one.read_bytes() for one in files}


def read_registration(
    files: Mapping[str, bytes], authorities: Sequence[x509.Certificate], confirmed: frozenset[str], at: datetime
) -> ContactPoint:
    """Return the contact point that the files describe.

    A seal is accepted when one of the authorities issued it, or its SHA-256 (hex) is among those that an operator
    confirmed. Raises: `NotUsable` with everything that is wrong.
    """
    described = _describe(files.get(DESCRIPTION))
    found = _Found()
    for name in sorted(files):
        if name.endswith((".crt", ".pem")):
            _take_seals(found, name, files[name], authorities, confirmed, at)
    for name in sorted(files):
        if name.endswith(".xml") and found.seals:
            try:
                found.metadata.append(read_metadata(files[name], described.country, found.seals, at, name))
            except NotUsable as error:
                found.faults += error.faults
    found.faults += _missing(found)
    if found.faults:
        raise NotUsable(*found.faults)
    return _contact_point(described, found)


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of a certificate, in hex."""
    return certificate.fingerprint(SHA256()).hex()


def _describe(data: bytes | None) -> _Description:
    if data is None:
        raise NotUsable(Fault("the file is missing", DESCRIPTION, "Write it: country, home_community, languages"))
    try:
        table = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise NotUsable(Fault(f"this is no TOML: {error}", DESCRIPTION, "Correct the file")) from error
    known = {
        "country": _COUNTRY, "home_community": _OID, "languages": _LANGUAGE, "offers": _LOINC, "asks": _LOINC,
    }  # fmt: skip
    faults = [
        Fault(f"{name} is missing or has another form", DESCRIPTION, f"Write {name}")
        for name, pattern in known.items()
        if not _has_form(table.get(name, [] if name in ("offers", "asks") else None), pattern, name)
    ]
    if faults:
        raise NotUsable(*faults)
    return _Description(
        country=table["country"],
        home=table["home_community"],
        languages=tuple(table["languages"]),
        offers=frozenset(table.get("offers", ())),
        asks=frozenset(table.get("asks", ())),
    )


def _has_form(value: Any, pattern: re.Pattern[str], name: str) -> bool:
    if name in ("country", "home_community"):
        return isinstance(value, str) and pattern.fullmatch(value) is not None
    is_list = isinstance(value, list) and len(value) <= 30 and (bool(value) or name != "languages")
    return is_list and all(isinstance(one, str) and pattern.fullmatch(one) for one in value)


def _take_seals(
    found: _Found,
    name: str,
    data: bytes,
    authorities: Sequence[x509.Certificate],
    confirmed: frozenset[str],
    at: datetime,
) -> None:
    try:
        certificates = x509.load_pem_x509_certificates(data)
    except ValueError:
        found.faults.append(Fault("this is no certificate in PEM", name, "Give the seal as PEM"))
        return
    for one in certificates:
        if fault := _seal_fault(one, authorities, confirmed, at):
            found.faults.append(Fault(fault[0], name, fault[1]))
        else:
            found.seals.append(one)


def _seal_fault(
    seal: x509.Certificate, authorities: Sequence[x509.Certificate], confirmed: frozenset[str], at: datetime
) -> tuple[str, str] | None:
    key = seal.public_key()
    if not is_in_force(seal, at):
        return "the seal is not valid now", "Ask the country for its present seal"
    if isinstance(key, RSAPublicKey) and key.key_size < MIN_KEY_BITS:
        return f"the key of the seal has fewer than {MIN_KEY_BITS} bits", "Ask the country for another seal"
    if fingerprint(seal) in confirmed or any(_issued(seal, one, at) for one in authorities):
        return None
    return (
        f"no authority known here issued the seal with SHA-256 {fingerprint(seal)}",
        "Compare it with the country over another way, then confirm it with --fingerprint",
    )


def _issued(seal: x509.Certificate, authority: x509.Certificate, at: datetime) -> bool:
    try:
        seal.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return is_in_force(authority, at)


def _missing(found: _Found) -> Iterator[Fault]:
    if not found.seals and not found.faults:
        yield Fault("there is no seal", "*.crt", "Ask the country for the certificate of its seal")
    subjects = [one.subject for one in found.metadata]
    for twice in sorted({one for one in subjects if subjects.count(one) > 1}):
        yield Fault(f"there are several documents about {twice}", "*.xml", "Keep the one in force")
    if not found.metadata and not found.faults:
        yield Fault("there is no service metadata", "*.xml", "Fetch it from the service metadata publisher")


def _contact_point(described: _Description, found: _Found) -> ContactPoint:
    endpoints = {one.subject: one.url for one in found.metadata if isinstance(one.subject, Transaction)}
    tls = {one.certificate: None for one in found.metadata if one.certificate is not None}
    mask: Sequence[MaskField] = next((one.mask for one in found.metadata if one.subject is Other.MASK), ())
    ends = [one.until for one in found.metadata]
    ends += [one.not_valid_after_utc for one in (*found.seals, *tls)]
    return ContactPoint(
        country=described.country,
        home=described.home,
        languages=described.languages,
        endpoints=endpoints,
        seals=tuple(found.seals),
        tls=tuple(tls),
        mask=tuple(mask),
        offers=described.offers,
        asks=described.asks,
        fhir_url=next((one.url for one in found.metadata if one.subject is Other.FHIR), ""),
        valid_until=min(ends),
    )
