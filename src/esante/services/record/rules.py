"""Pure decisions of the record: ownership, visibility and filters."""

import unicodedata
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Protocol
from uuid import UUID

from msgspec import structs

from esante.core.journal import Entry
from esante.identity.access import (
    OPERATION,
    Action,
    Confidentiality,
    Consent,
    Grant,
    Item,
    Purpose,
    ReadFilter,
    RecordState,
    Requester,
    Verdict,
    decide,
    decide_opening,
    opening_grant,
    read_filter,
)
from esante.services.record.errors import Denied, not_found
from esante.services.record.indexing.sources import Source
from esante.services.record.model import MISFILED, Document, Filters

_STRICTNESS = tuple(Confidentiality)
CORRECTION = Verdict(True, "operator.correct", "correction", context=OPERATION)
"""The verdict for an operator who corrects a document filed under the wrong patient; operators see nothing else."""
COMPILATION = Verdict(True, "system.compile", "compiled", context=OPERATION)
"""The verdict for the platform on a document that it compiles from what an open record holds; it sees nothing else."""

ONE_READING = timedelta(minutes=10)
"""The time after a document was opened in which its further pages belong to the same reading: a browser requests the
images of a long PDF only as the reader scrolls to them. A longer time would hide from the patient that somebody
opened the document again."""


class RecordItem(Protocol):
    """An item that access is decided on: a document, or a source of resources."""

    @property
    def category(self) -> str:
        """A key of the category list."""

    @property
    def confidentiality(self) -> Confidentiality:
        """Who may see it."""

    @property
    def author_id(self) -> UUID:
        """The author."""

    @property
    def organization_id(self) -> UUID | None:
        """The organisation it comes from."""

    @property
    def misfiled(self) -> bool:
        """Whether it was filed under the wrong patient."""

    @property
    def series_id(self) -> UUID | None:
        """Of a document, that of all its versions."""

    @property
    def event_date(self) -> date | None:
        """The day of care that it is about; None: not known."""


def purpose_of(requester: Requester) -> Purpose:
    """Return the purpose of use that follows from the kind of the requester; an emergency grant overrides it."""
    match requester.kind:
        case "patient":
            return Purpose.PATIENT_REQUEST
        case "operator" | "system":
            return Purpose.OPERATIONS
        case _:
            return Purpose.TREATMENT


def item_of(document: RecordItem) -> Item:
    """Return the facts about a document on which the access decision depends."""
    return Item(
        category=document.category,
        confidentiality=document.confidentiality,
        author_id=document.author_id,
        organization_id=document.organization_id,
        care_on=document.event_date,
        series_id=document.series_id,
    )


def decides_for_holder(requester: Requester, verdict: Verdict) -> bool:
    """Return whether a requester decides who sees something: the person, or a parent or guardian for them."""
    return requester.kind == "patient" and verdict.reason != "trusted_person"


def is_own(document: RecordItem, requester: Requester) -> bool:
    """Return whether the requester wrote the document, or acts for the organisation it came from."""
    if requester.id in (document.author_id, document.organization_id):
        return True
    return requester.organization_id is not None and requester.organization_id == document.organization_id


def decide_compilation(consent: Consent) -> Verdict:
    """Decide whether the platform may compile documents from what a record holds: while it is open."""
    if consent.state is not RecordState.OPEN:
        return Verdict(False, f"record.{consent.state.value}", "closed")
    return COMPILATION


def is_same_reading(entry: Entry, requester: Requester, document: Document, verdict: Verdict, at: datetime) -> bool:
    """Return whether a `Read` entry covers the reading that a further page belongs to.

    It must have the same requester at the same origin, the same document, the same rule and grant, and be at most
    `ONE_READING` old.
    """
    read = entry.event
    return (
        read is not None
        and at - entry.at <= ONE_READING
        and (entry.actor, entry.origin) == (requester.actor, requester.origin)
        and document.id in read.documents
        and (read.rule, read.grant_id) == (verdict.rule, verdict.grant.id if verdict.grant else None)
    )


class Visibility:
    """The items of one record that one requester may see at one moment; like items are decided on once.

    `action`: to read them, or to see them in a list.
    """

    def __init__(self, requester: Requester, consent: Consent, at: datetime, action: Action = Action.READ) -> None:
        self.requester, self.consent, self.at, self._action = requester, consent, at, action
        self._purpose = purpose_of(requester)
        self._verdicts: dict[tuple[object, ...], Verdict] = {}

    def verdict(self, document: RecordItem) -> Verdict:
        """Return whether the requester may read a document, and why."""
        if document.misfiled and self.requester.kind == "operator":
            return CORRECTION
        if self.requester.kind == "system" and document.author_id == self.requester.id:
            return decide_compilation(self.consent)
        like: tuple[object, ...] = (
            document.category,
            document.confidentiality,
            document.author_id,
            document.organization_id,
        )
        if self.consent.oppositions:
            like += document.series_id, document.event_date
        if (known := self._verdicts.get(like)) is None:
            item = item_of(document)
            known = decide(self.consent, self.requester, self._action, item, self._purpose, self.at)
            self._verdicts[like] = known
        return known

    def includes(self, document: RecordItem) -> bool:
        """Return whether a document exists for the requester; a misfiled one only for its author and operators."""
        if document.misfiled and self.requester.kind != "operator":
            by_patient_in_part = self.requester.kind == "patient" and self.filter.author is None
            if by_patient_in_part or not is_own(document, self.requester):
                return False
        return self.verdict(document).allowed

    @cached_property
    def filter(self) -> ReadFilter:
        """What `includes` includes, as conditions of a query."""
        if self.requester.kind == "operator":
            return ReadFilter(labels=(MISFILED,))
        if self.requester.kind == "system":
            return ReadFilter(author=self.requester.id)
        return read_filter(self.consent, self.requester, self._purpose, self.at, self._action)

    @property
    def grant(self) -> Grant | None:
        """The grant by which a professional may open the record at all."""
        return opening_grant(self.consent, self.requester, self.at)

    def record_verdict(self) -> Verdict:
        """Return the verdict on opening the record, whatever it holds."""
        if self.requester.kind == "patient":
            item = Item(category="")
            return decide(self.consent, self.requester, self._action, item, self._purpose, self.at)
        return decide_opening(self.consent, self.requester, self.at)


def shows_lines(visibility: Visibility, document: Document | Source) -> bool:
    """Return whether a requester who may see a document may see its restricted lines, if it has any.

    They are decided on like a document of their own confidentiality: its author, and emergency access where it reaches
    that far, see them; nobody sees more of a document than of the record.
    """
    if document.restricted_lines is None:
        return False
    level = stricter(document.confidentiality, document.restricted_lines)
    return visibility.includes(structs.replace(document, confidentiality=level))


def require_visible(visibility: Visibility, document: Document | None) -> tuple[Document, Verdict]:
    """Return a document that the requester may see, and the verdict on it.

    Raises: `Denied` with the same 404 for a document that does not exist and for one that must not be seen.
    """
    if document is None:
        raise Denied(not_found())
    verdict = visibility.verdict(document)
    if not visibility.includes(document):
        raise Denied(not_found(), verdict, document)
    return document, verdict


def matches(document: Document, filters: Filters) -> bool:
    """Return whether a document has the text and author of the filters; the database applies the other filters."""
    if filters.author and filters.author not in (document.author_id, document.organization_id):
        return False
    if filters.confidentiality and document.confidentiality not in filters.confidentiality:
        return False
    if not filters.text:
        return True
    return has_words(document, fold_text(filters.text).split())


def has_words(document: Document, words: Iterable[str]) -> bool:
    """Return whether title, author or organisation of a document hold all words (of `fold_text`)."""
    text = fold_text(f"{document.title} {document.author} {document.organization}")
    return all(word in text for word in words)


def fold_text(text: str) -> str:
    """Return a text without case and accents, for comparison."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(char for char in decomposed if not unicodedata.combining(char)).casefold()


def stricter(one: Confidentiality, other: Confidentiality) -> Confidentiality:
    """Return the level that lets fewer people see a document."""
    return max(one, other, key=_STRICTNESS.index)
