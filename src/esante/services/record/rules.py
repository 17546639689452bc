"""Pure decisions of the record: what is one's own, what a requester sees, what matches a filter."""

import unicodedata
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Protocol
from uuid import UUID

from esante.core.journal import Entry
from esante.identity.access import (
    Action,
    Confidentiality,
    Consent,
    Grant,
    Item,
    Purpose,
    Requester,
    Verdict,
    decide,
    opening_grant,
)
from esante.identity.directory import Person
from esante.services.record.model import Document, Filters

_STRICTNESS = tuple(Confidentiality)
CORRECTION = Verdict(True, "operator.correct", "correction")
"""An operator puts right what was filed under the wrong patient, and sees nothing else."""

ONE_READING = timedelta(minutes=10)
"""How long after a document was opened its further pages belong to the same reading: a browser asks for the
pictures of a long PDF only as the reader comes to them. Longer would hide from the patient that somebody came
back."""


class Thing(Protocol):
    """What is decided on: a document, or a source of resources."""

    @property
    def category(self) -> str:
        """A key of the category list."""

    @property
    def confidentiality(self) -> Confidentiality:
        """How far it goes."""

    @property
    def author_id(self) -> UUID:
        """Who wrote it."""

    @property
    def organization_id(self) -> UUID | None:
        """The organisation it comes from."""

    @property
    def misfiled(self) -> bool:
        """Whether it was filed under the wrong patient."""


def purpose_of(requester: Requester) -> Purpose:
    """Why a requester asks, as far as his kind tells; an emergency grant says more."""
    match requester.kind:
        case "patient":
            return Purpose.PATIENT_REQUEST
        case "operator":
            return Purpose.OPERATIONS
        case _:
            return Purpose.TREATMENT


def item_of(document: Thing) -> Item:
    """What the access decision must know of a document."""
    return Item(
        category=document.category,
        confidentiality=document.confidentiality,
        author_id=document.author_id,
        organization_id=document.organization_id,
    )


def is_own(document: Thing, requester: Requester) -> bool:
    """Whether the requester wrote the document, or acts for the organisation it came from."""
    if requester.id in (document.author_id, document.organization_id):
        return True
    return requester.organization_id is not None and requester.organization_id == document.organization_id


def is_same_reading(entry: Entry, requester: Requester, document: Document, verdict: Verdict, at: datetime) -> bool:
    """Whether a `Read` entry tells of the reading that a further page belongs to.

    The same requester at the same place, the same document, the same rule and grant, not longer ago than
    `ONE_READING`.
    """
    told = entry.event
    return (
        told is not None
        and at - entry.at <= ONE_READING
        and (entry.actor, entry.origin) == (requester.actor, requester.origin)
        and document.id in told.documents
        and (told.rule, told.grant_id) == (verdict.rule, verdict.grant.id if verdict.grant else None)
    )


class Sight:
    """What one requester sees of one record at one moment; like documents are decided on once."""

    def __init__(self, requester: Requester, consent: Consent, at: datetime) -> None:
        self.requester, self.consent, self.at = requester, consent, at
        self._purpose = purpose_of(requester)
        self._verdicts: dict[tuple[object, ...], Verdict] = {}

    def verdict(self, document: Thing) -> Verdict:
        """Whether the requester may read a document, and why."""
        if document.misfiled and self.requester.kind == "operator":
            return CORRECTION
        like = document.category, document.confidentiality, document.author_id, document.organization_id
        if (known := self._verdicts.get(like)) is None:
            item = item_of(document)
            known = decide(self.consent, self.requester, Action.READ, item, self._purpose, self.at)
            self._verdicts[like] = known
        return known

    def sees(self, document: Thing) -> bool:
        """Whether a document exists for the requester: a misfiled one only for its author and the operator."""
        if document.misfiled and self.requester.kind != "operator" and not is_own(document, self.requester):
            return False
        return self.verdict(document).allowed

    @property
    def grant(self) -> Grant | None:
        """The access by which a professional may open the record at all."""
        return opening_grant(self.consent, self.requester, self.at)

    def whole(self) -> Verdict:
        """The verdict on opening the record, whatever is in it."""
        if self.requester.kind == "patient":
            item = Item(category="")
            return decide(self.consent, self.requester, Action.READ, item, self._purpose, self.at)
        if (grant := self.grant) is not None:
            return Verdict(True, f"grant.{grant.kind}", grant.kind.value, grant)
        return Verdict(False, "no-grant", "no-grant")


def matches(document: Document, filters: Filters) -> bool:
    """Whether a document has the text and author of the filters; the database looks at the rest."""
    if filters.author and filters.author not in (document.author_id, document.organization_id):
        return False
    if filters.confidentiality and document.confidentiality not in filters.confidentiality:
        return False
    if not filters.text:
        return True
    words = folded(filters.text).split()
    text = folded(f"{document.title} {document.author} {document.organization}")
    return all(word in text for word in words)


def folded(text: str) -> str:
    """Text without case and accents, for comparison."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(sign for sign in decomposed if not unicodedata.combining(sign)).casefold()


def stricter(one: Confidentiality, other: Confidentiality) -> Confidentiality:
    """The level that lets fewer see."""
    return max(one, other, key=_STRICTNESS.index)


def same_subject(person: Person, identifiers: Iterable[tuple[str, str]], family: str, birth_date: str) -> bool | None:
    """Whether a document's patient is the person: True, False, or None when it cannot be told.

    An identifier of a system that the person has decides, either way, if it has the form of one of hers (the
    same length: the matricule has an old form of 11 digits). Without one, family name and birth date may
    confirm. Identifiers of another country tell nothing.
    """
    known: dict[tuple[str, int], set[str]] = {}
    for identifier in person.identifiers:
        known.setdefault((identifier.system, len(identifier.value)), set()).add(identifier.value)
    given = [(system, "".join(value.split())) for system, value in identifiers]
    telling = [(known[system, len(value)], value) for system, value in given if (system, len(value)) in known]
    if telling:
        return any(value in values for values, value in telling)
    if family and folded(family) == folded(person.family) and _is_day(birth_date, person.birth_date):
        return True
    return None


def _is_day(text: str, day: date) -> bool:
    return text[:10] == day.isoformat()
