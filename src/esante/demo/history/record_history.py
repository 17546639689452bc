"""The history of the records, as the rows that the services would have written at the time."""

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any
from uuid import UUID

from esante.contract import Platform
from esante.core.storage import INLINE_LIMIT, Row
from esante.core.types import Json
from esante.demo.history.grants import RecordReading
from esante.demo.model import Citizen, World
from esante.demo.rendered_documents import RenderedDocument
from esante.identity.access import (
    HOLDER,
    Access,
    Action,
    Confidentiality,
    Consent,
    Grant,
    GrantKind,
    Item,
    Purpose,
    RecordState,
    Requester,
    Verdict,
    decide,
    requester_of,
)
from esante.services.record import (
    FORMAT_BY_MIME_TYPE,
    ConfidentialitySet,
    DepositedEvent,
    Document,
    Listed,
    Read,
    Status,
    category_of_type,
    document_rows,
)

ORIGIN = "192.0.2.{}"
"""The origin of requests in the history: an address reserved for documentation (RFC 5737)."""


class RecordHistory:
    """Builds the rows of the history; deposits are decided by the rules of `now`."""

    def __init__(self, platform: Platform, world: World, now: datetime) -> None:
        self._platform, self._world, self._now = platform, world, now
        self._verdict = lru_cache(maxsize=None)(self._write_verdict)

    def deposit_rows(self, rendered: RenderedDocument) -> list[Row]:
        """Return the rows of a deposit, and of the confidentiality that the person set for it.

        Raises: ValueError when the document is larger than `INLINE_LIMIT` bytes.
        """
        if len(rendered.content) > INLINE_LIMIT:
            raise ValueError(f"a demo document of {len(rendered.content)} bytes is larger than {INLINE_LIMIT}")
        citizen, author = self._world.citizens[rendered.number], self._author(rendered)
        document = _document(rendered, citizen, author)
        verdict = self._verdict(author.kind, author.profession, document.category)
        event = DepositedEvent(
            type=document.type,
            media_type=document.media_type,
            size=document.size,
            delay=document.delay,
            **_audit_fields(verdict, author, document),
        )
        return [
            *document_rows(document, rendered.content),
            *self._entry_rows(event, citizen, author, document.deposited_at),
            *self._restriction(document, citizen),
        ]

    def reading_rows(self, reading: RecordReading, documents: Sequence[RenderedDocument]) -> list[Row]:
        """Return the rows of listing the record and reading the newest document that the rules allow."""
        reader = self.requester_for(reading.practitioner.id)
        consent = Consent(person_id=reading.citizen.person.id, state=RecordState.OPEN, grants=(reading.grant,))
        for rendered in reversed([rendered for rendered in documents if rendered.deposited_at < reading.at]):
            author = self._author(rendered)
            document = _document(rendered, reading.citizen, author)
            item = Item(
                category=document.category,
                confidentiality=document.confidentiality,
                author_id=author.id,
                organization_id=author.organization_id,
            )
            verdict = decide(consent, reader, Action.READ, item, Purpose.TREATMENT, reading.at)
            if verdict.allowed:
                fields = _audit_fields(verdict, reader, document)
                listed = Listed(count=1, **fields)
                return [
                    row
                    for event in (listed, Read(**fields))
                    for row in self._entry_rows(event, reading.citizen, reader, reading.at)
                ]
        return []

    def grant_rows(self, grant: Grant) -> list[Row]:
        """Return the rows of a grant, with the entry of who gave or obtained it."""
        citizen = self._by_person[grant.person_id]
        actor = requester_of(citizen.person) if grant.kind is GrantKind.CIRCLE else self.requester_for(grant.holder_id)
        return self._platform[Access].grants.grant_rows(grant, actor.actor, _origin(actor), at=grant.since)

    def requester_for(self, holder_id: UUID) -> Requester:
        """Return the requester of a professional (at work) or an organisation."""
        return self._requesters[holder_id]

    @cached_property
    def _requesters(self) -> dict[UUID, Requester]:
        places = {organization.id: organization for organization in self._world.organizations.values()}
        found = {place.id: requester_of(place) for place in places.values()}
        for practitioner in self._world.practitioners:
            found[practitioner.id] = requester_of(practitioner, places[practitioner.roles[-1].organization_id])
        return found

    @cached_property
    def _by_person(self) -> dict[UUID, Citizen]:
        return {citizen.person.id: citizen for citizen in self._world.citizens}

    def _author(self, rendered: RenderedDocument) -> Requester:
        if rendered.author is None:
            return requester_of(self._world.citizens[rendered.number].person)
        return self.requester_for(rendered.author)

    def _write_verdict(self, kind: str, profession: str, category: str) -> Verdict:
        """Return the verdict on a deposit. Raises: ValueError when the rules refuse it."""
        person = self._world.citizens[0].person.id
        author = Requester(kind=kind, id=person, name="", profession=profession)
        consent = Consent(person_id=person, state=RecordState.OPEN)
        verdict = decide(consent, author, Action.WRITE, Item(category=category), _purpose(author), self._now)
        if not verdict.allowed:
            raise ValueError(f"{profession or kind} may not deposit {category}: {verdict.rule}")
        return verdict

    def _restriction(self, document: Document, citizen: Citizen) -> list[Row]:
        """Return the rows of a restriction, which the person sets at the moment of the deposit."""
        if document.confidentiality is Confidentiality.NORMAL:
            return []
        person = requester_of(citizen.person)
        event = ConfidentialitySet(
            level=document.confidentiality.value,
            **_audit_fields(Verdict(True, "patient.read", "own", context=HOLDER), person, document),
        )
        return self._entry_rows(event, citizen, person, document.deposited_at)

    def _entry_rows(self, event: Any, citizen: Citizen, requester: Requester, at: datetime) -> list[Row]:
        return self._platform.journal.rows(
            event, person_id=citizen.person.id, actor=requester.actor, origin=_origin(requester), at=at
        )


def _document(rendered: RenderedDocument, citizen: Citizen, author: Requester) -> Document:
    category = category_of_type(rendered.type)
    if category is None:
        raise ValueError(f"the record does not accept documents of type {rendered.type}")
    return Document(
        id=rendered.id,
        person_id=citizen.person.id,
        series_id=rendered.id,
        replaces=None,
        version=1,
        status=Status.CURRENT,
        category=category.key,
        type=rendered.type,
        title=rendered.title,
        language=rendered.language,
        event_date=rendered.event_date,
        deposited_at=rendered.deposited_at,
        changed_at=rendered.deposited_at,
        author_kind=author.kind,
        author_id=author.id,
        author=author.name,
        organization_id=author.organization_id,
        organization=author.organization,
        media_type=rendered.media_type,
        format=FORMAT_BY_MIME_TYPE,
        size=len(rendered.content),
        sha256=rendered.sha256,
        sha1=rendered.sha1,
        confidentiality=Confidentiality(rendered.confidentiality),
        submission_id=rendered.id,
    )


def _audit_fields(verdict: Verdict, requester: Requester, document: Document) -> Json:
    fields: Json = {
        "purpose": _purpose(requester).value,
        "allowed": verdict.allowed,
        "rule": verdict.rule,
        "reason": verdict.reason,
        "context": verdict.context,
        "categories": (document.category,),
        "documents": (document.id,),
    }
    if verdict.grant:
        fields |= {"grant_id": verdict.grant.id, "grant_kind": verdict.grant.kind.value}
    return fields


def _purpose(requester: Requester) -> Purpose:
    return Purpose.PATIENT_REQUEST if requester.kind == "patient" else Purpose.TREATMENT


def _origin(requester: Requester) -> str:
    return ORIGIN.format(1 + (requester.organization_id or requester.id).int % 250)
