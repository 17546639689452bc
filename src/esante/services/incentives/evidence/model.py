"""Types of evidence."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from esante.core.journal import Event, event


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A document that counts: who made it, which code it was billed under, by which software, on which day.

    `patient_key`: a pseudonym of the patient, by which documents of one patient are counted. `seq`: the leaf of the
    journal's entry, up to which a decision looks.
    """

    kind: str
    document_id: UUID
    provider_code: str
    payee_code: str
    profession: str
    on_day: date
    client_id: str
    software: str
    patient_key: int
    amount: Decimal | None
    seq: int


@dataclass(frozen=True, slots=True)
class DayCount:
    """How many documents of a professional, of one account and software, were made on a day, and taken back."""

    provider_code: str
    payee_code: str
    client_id: str
    software: str
    on_day: date
    documents: int
    withdrawn: int


@dataclass(frozen=True, slots=True)
class UnusualCounts:
    """What may be unusual in a quarter of a professional.

    How many documents there are that were not taken back, in the last days, of a minimal amount, of the patient with
    the most, and how many were taken back.
    """

    provider_code: str
    documents: int
    last_days: int
    minimal: int
    most_of_patient: int
    withdrawn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """The label of a version of a product by a kit: `clients` are the registrations of the software.

    It holds from `since` to `until` (None: no end), or to the day before it ended.
    """

    version_id: UUID
    kit: str
    product: str
    version: str
    vendor_id: UUID
    vendor: str
    clients: frozenset[str]
    since: date
    until: date | None
    ended_on: date | None

    def holds(self, day: date) -> bool:
        """Return whether the label holds on a day."""
        ended = self.ended_on is not None and self.ended_on <= day
        return self.since <= day and not ended and (self.until is None or day <= self.until)


class Labels:
    """All labels, by kit and registration."""

    def __init__(self, labels: Iterable[Label]) -> None:
        self.all = tuple(labels)
        self._by_client: dict[tuple[str, str], list[Label]] = {}
        self._on: dict[tuple[str, str, date], tuple[Label | None, str]] = {}
        for label in sorted(self.all, key=lambda one: (one.since, one.version)):
            for client in label.clients:
                self._by_client.setdefault((label.kit, client), []).append(label)

    def on(self, kit: str, client_id: str, day: date) -> tuple[Label | None, str]:
        """Return the label of a registration on a day (None: none), and the name of its product ("": not known).

        The newest of several labels counts. The name is that of the newest label that had begun, so that a later one
        does not change it.
        """
        key = kit, client_id, day
        if key not in self._on:
            begun = [one for one in self._by_client.get((kit, client_id), ()) if one.since <= day]
            held = [one for one in begun if one.holds(day)]
            self._on[key] = held[-1] if held else None, begun[-1].product if begun else ""
        return self._on[key]

    def clients_of(self, kit: str, vendor_id: UUID, product: str) -> frozenset[str]:
        """Return the registrations of a vendor's product, in all its versions."""
        wanted = kit, vendor_id, product
        return frozenset().union(*(one.clients for one in self.all if (one.kit, one.vendor_id, one.product) == wanted))

    def versions(self) -> Mapping[UUID, Label]:
        """Return the newest label of each version."""
        return {one.version_id: one for one in sorted(self.all, key=lambda one: one.since)}


@event("incentives.practice_connected")
class PracticeConnected(Event, frozen=True, kw_only=True):
    """The first evidence of a kind that a professional made with a software reached the journal."""

    provider_code: str
    kind: str
    software: str
