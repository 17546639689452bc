"""The types of the attestation of software (RGD of 6 December 2019, article 11), and its journal events."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_


class Status(StrEnum):
    """How far the attestation of a version is."""

    REGISTERED = "registered"
    CONFORMING = "conforming"
    """The conformity tests by an outside expert body are passed."""
    ATTESTED = "attested"
    """The connection tests are passed too."""
    SUSPENDED = "suspended"
    WITHDRAWN = "withdrawn"


class Kind(StrEnum):
    """What happens to the attestation of a version."""

    CONFORMITY = "conformity"
    CONNECTION = "connection"
    SUSPENSION = "suspension"
    RESUMPTION = "resumption"
    WITHDRAWAL = "withdrawal"


PHASES = (Kind.CONFORMITY, Kind.CONNECTION)
"""The two phases, in the order of the law."""
STATUS_NAMES: Mapping[str, str] = {
    Status.REGISTERED: N_("Not tested yet"),
    Status.CONFORMING: N_("Conformity tests passed"),
    Status.ATTESTED: N_("Attested"),
    Status.SUSPENDED: N_("Suspended"),
    Status.WITHDRAWN: N_("Attestation withdrawn"),
}
KIND_NAMES: Mapping[str, str] = {
    Kind.CONFORMITY: N_("Conformity tests passed"),
    Kind.CONNECTION: N_("Connection tests passed"),
    Kind.SUSPENSION: N_("Attestation suspended"),
    Kind.RESUMPTION: N_("Suspension lifted"),
    Kind.WITHDRAWAL: N_("Attestation withdrawn"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A software product of a vendor; `contact` is how the agency reaches the vendor, and is not published.

    `vendor_id`: the account of the vendor; None for a product that an operator registered.
    """

    product_id: UUID
    name: str
    vendor: str
    contact: str
    registered_at: datetime
    vendor_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of a product. An attestation is of one version: it holds until the product changes.

    `profiles`: keys of `profiles.toml`. `attested_at`: when both phases were passed, also of one that is suspended.
    `clients`: the ids of the registered clients (SMART) that are this version.
    """

    version_id: UUID
    product_id: UUID
    version: str
    profiles: tuple[str, ...]
    registered_at: datetime
    status: Status = Status.REGISTERED
    attested_at: datetime | None = None
    clients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What an operator states: that a phase was passed, with its evidence, or a suspension, resumption or withdrawal.

    `body`: who tested. `reference`: the number of the report. `passed_on`: its day. `reason`: of all that is no phase.
    """

    kind: Kind
    body: str = ""
    reference: str = ""
    passed_on: date | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A statement about a version, who made it and when."""

    act_id: UUID
    version_id: UUID
    kind: Kind
    at: datetime
    operator_id: UUID
    operator: str
    body: str = ""
    reference: str = ""
    passed_on: date | None = None
    reason: str = ""


@event("conformance.product_registered")
class ProductRegistered(Event, frozen=True, kw_only=True):
    """An operator, or the vendor, registered a software product."""

    product_id: UUID
    name: str
    vendor: str


@event("conformance.version_registered")
class VersionRegistered(Event, frozen=True, kw_only=True):
    """An operator, or the vendor, registered a version of a product, which is not attested yet."""

    product_id: UUID
    version_id: UUID
    version: str
    profiles: tuple[str, ...]
    clients: tuple[str, ...] = ()


@event("conformance.phase_passed")
class PhasePassed(Event, frozen=True, kw_only=True):
    """A version passed a phase of tests (`phase`: conformity, connection), as a report says."""

    version_id: UUID
    phase: str
    body: str
    reference: str
    passed_on: date


@event("conformance.attestation_changed")
class AttestationChanged(Event, frozen=True, kw_only=True):
    """The attestation of a version was suspended, resumed or withdrawn (`change`), with a reason."""

    version_id: UUID
    change: str
    reason: str
