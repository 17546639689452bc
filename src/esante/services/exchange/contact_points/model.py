"""What a contact point is: where it answers, who signs for it, whom its country lets itself be asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from cryptography import x509

from esante.core.journal import Event, event


class Transaction(StrEnum):
    """The transactions between contact points (IHE)."""

    DISCOVERY = "ITI-55"
    LIST = "ITI-38"
    RETRIEVE = "ITI-39"
    SUBMIT = "ITI-41"


class FieldKind(StrEnum):
    """What a field of a search mask asks for."""

    ID = "id"
    TEXT = "text"
    BIRTH_DATE = "birthDate"
    SEX = "sex"


@dataclass(frozen=True, slots=True)
class MaskField:
    """A field by which a country identifies its patients.

    `domain`: the OID of the issuer of an identifier. `label`: its key in the masks (`label.ism.…`). `pattern`: what
    the value must match, "" for anything.
    """

    kind: FieldKind
    label: str
    domain: str = ""
    pattern: str = ""
    is_mandatory: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactPoint:
    """The contact point of a country, as it was registered.

    `home`: the OID of its home community. `seals`: the certificates that sign its assertions and its service
    metadata; `tls`: those of its connections. `offers`: classes of documents (LOINC) that it answers; `asks`: those
    for which it may ask here.
    """

    country: str
    home: str
    languages: Sequence[str]
    endpoints: Mapping[Transaction, str]
    seals: Sequence[x509.Certificate] = field(repr=False)
    tls: Sequence[x509.Certificate] = field(repr=False)
    mask: Sequence[MaskField] = ()
    offers: frozenset[str] = frozenset()
    asks: frozenset[str] = frozenset()
    fhir_url: str = ""
    """The address of its FHIR interface, "" for none."""
    valid_until: datetime
    """When the first of its metadata or certificates ends."""
    is_suspended: bool = False


@event("exchange.contact_point_changed")
class ContactPointChanged(Event, frozen=True, kw_only=True):
    """The contact point of another country was registered, renewed, suspended, resumed or removed."""

    country: str
    change: str
    """registered, renewed, suspended, resumed or removed."""
    fingerprints: tuple[str, ...] = ()
    """SHA-256 of its seals, in hex."""
    reason: str = ""
