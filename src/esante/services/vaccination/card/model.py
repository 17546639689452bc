"""The types of the card: doses and refusals, contraindications, adverse events; and who has given a dose."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from esante.core.web import N_


class DoseStatus(StrEnum):
    """The status of an Immunization (FHIR immunization-status)."""

    GIVEN = "completed"
    NOT_GIVEN = "not-done"
    ENTERED_IN_ERROR = "entered-in-error"


SITES = {
    "LA": N_("left upper arm"),
    "RA": N_("right upper arm"),
    "LT": N_("left thigh"),
    "RT": N_("right thigh"),
}
"""Where a vaccine is injected (v3-ActSite), as msgids."""
ROUTES = {
    "IM": N_("into the muscle"),
    "SQ": N_("under the skin"),
    "IDINJ": N_("into the skin"),
    "PO": N_("by mouth"),
    "NASINHLC": N_("into the nose"),
}
"""How a vaccine is given (v3-RouteOfAdministration), as msgids."""
REFUSALS = {
    "PATOBJ": N_("The patient or a parent does not want it."),
    "IMMUNE": N_("The patient is already immune."),
    "MEDPREC": N_("There is a medical reason against it."),
    "OSTOCK": N_("The vaccine is not available."),
}
"""Why a dose was not given (v3-ActReason), as msgids."""


def whole_day(text: str) -> date | None:
    """Return the day of a FHIR date; None for one of a month or year, and for what is none."""
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A warning that a professional saw and did not follow, by the name of its rule, with the reason."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseEntry:
    """What is entered of a dose, or of a refusal (`status`).

    `product` is a key of the catalogue, "" where only `antigens` are known; `name` is what is written of the product.
    `occurred` is a FHIR date, of a past dose perhaps a year or a month only. `key` is the identifier that the form
    gives the dose, so that sending it twice is one dose. `given_here`: the author gave it (primarySource), otherwise
    it is copied from a paper card. `reason` is a key of `REFUSALS`.
    """

    key: UUID
    status: DoseStatus = DoseStatus.GIVEN
    product: str = ""
    name: str = ""
    antigens: tuple[str, ...] = ()
    occurred: str = ""
    dose_number: int | None = None
    lot: str = ""
    expires_on: date | None = None
    produced_on: date | None = None
    serial: str = ""
    gtin: str = ""
    site: str = ""
    route: str = ""
    place: str = ""
    """Where a copied dose was given, in words."""
    given_here: bool = True
    reason: str = ""
    note: str = ""
    overrides: tuple[Override, ...] = ()

    @property
    def day(self) -> date | None:
        """The day, where it is known."""
        return whole_day(self.occurred)


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who wrote something into the record (`kind`: patient, practitioner, organization), and for whom."""

    kind: str
    id: UUID
    name: str
    organization_id: UUID | None = None
    organization: str = ""

    @property
    def party(self) -> UUID:
        """Who answers for what was written: the organisation, else the author."""
        return self.organization_id or self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Dose:
    """A dose or refusal as it stands in the record.

    `cvx`, `atc` and `product` say what was given, "" or empty where that is not known. `identifiers` are its business
    identifiers (system, value). `source_id` is the document or contribution that it comes from; `from_document`: it
    changes with that document only. `version` is its FHIR version id.
    """

    person_id: UUID
    id: UUID
    version: str
    status: DoseStatus
    name: str
    product: str
    cvx: tuple[str, ...]
    atc: str
    manufacturer: str
    antigens: tuple[str, ...]
    occurred: str
    dose_number: str
    lot: str
    expires_on: date | None
    serial: str
    gtin: str
    site: str
    route: str
    performer: str
    place: str
    given_here: bool
    origin: str
    reason: str
    note: str
    overrides: tuple[Override, ...]
    identifiers: frozenset[tuple[str, str]]
    recorded_at: datetime
    source_id: UUID
    from_document: bool
    author: Author
    confidentiality: str = "normal"

    @property
    def day(self) -> date | None:
        """The day, where it is known."""
        return whole_day(self.occurred[:10])

    @property
    def is_given(self) -> bool:
        """Whether it was given."""
        return self.status is DoseStatus.GIVEN

    @property
    def confirmed(self) -> bool:
        """Whether a professional stands for it."""
        return self.author.kind != "patient"


@dataclass(frozen=True, slots=True)
class MatchedDose:
    """One dose with all that is recorded of it: `shown` first, then what others recorded of the same."""

    shown: Dose
    others: tuple[Dose, ...] = ()

    @property
    def all(self) -> tuple[Dose, ...]:
        """Everything that is recorded of it."""
        return (self.shown, *self.others)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contraindication:
    """A reason not to give some vaccines: `kind` is a key of data/contraindications.toml; `until` None: it lasts."""

    id: UUID
    version: str
    kind: str
    note: str
    since: date | None
    until: date | None
    author: Author

    def is_in_force(self, on: date) -> bool:
        """Return whether it holds on a day."""
        return (self.since is None or self.since <= on) and (self.until is None or on < self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdverseEvent:
    """Something undesirable after a dose, in words."""

    id: UUID
    dose_id: UUID | None
    text: str
    on: str
    serious: bool
    author: Author


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a requester may see of a person's card, the latest doses first."""

    person_id: UUID
    doses: tuple[MatchedDose, ...] = ()
    refusals: tuple[Dose, ...] = ()
    errors: tuple[Dose, ...] = ()
    """What was entered in error; it counts for nothing."""
    contraindications: tuple[Contraindication, ...] = ()
    adverse_events: tuple[AdverseEvent, ...] = ()

    @property
    def given(self) -> list[Dose]:
        """What was given, each dose once."""
        return [one.shown for one in self.doses]


@dataclass(frozen=True, slots=True, kw_only=True)
class Warning:
    """What a check found: the name of its `rule`, what it says (msgid with the names in `details`), its source."""

    rule: str
    text: str
    details: dict[str, str] = field(default_factory=dict)
    legal_source: str = ""
