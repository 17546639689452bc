"""What happened in the past of the country, as the rows the rooms would have written then."""

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any
from uuid import UUID

from esante.contract import Platform
from esante.core.storage import INLINE_LIMIT, Row
from esante.demo.document_rows import Piece
from esante.demo.history.grants import Look
from esante.demo.model import Citizen, World
from esante.identity.access import (
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
"""Where requests of the past came from: an address that is for examples only (RFC 5737)."""


class History:
    """Makes the rows of the past; what was deposited then is judged by the rules of `now`."""

    def __init__(self, platform: Platform, world: World, now: datetime) -> None:
        self._platform, self._world, self._now = platform, world, now
        self._verdict = lru_cache(maxsize=None)(self._write_verdict)

    def deposit(self, piece: Piece) -> list[Row]:
        """A document that came in, and what the person set for it later; its bytes must be small."""
        if len(piece.content) > INLINE_LIMIT:
            raise ValueError(f"a demo document of {len(piece.content)} bytes is too large to lie in the database")
        citizen, author = self._world.citizens[piece.number], self._author(piece)
        document = _document(piece, citizen, author)
        verdict = self._verdict(author.kind, author.profession, document.category)
        told = DepositedEvent(
            type=document.type,
            media_type=document.media_type,
            size=document.size,
            delay=document.delay,
            **_about(verdict, author, document),
        )
        return [
            *document_rows(document, piece.content),
            *self._tell(told, citizen, author, document.deposited_at),
            *self._restriction(document, citizen),
        ]

    def look(self, look: Look, pieces: Sequence[Piece]) -> list[Row]:
        """A look at the list, and the reading of the newest document that the rules let the reader see."""
        reader = self.requester(look.practitioner.id)
        consent = Consent(person_id=look.citizen.person.id, state=RecordState.OPEN, grants=(look.grant,))
        for piece in reversed([piece for piece in pieces if piece.deposited_at < look.at]):
            author = self._author(piece)
            document = _document(piece, look.citizen, author)
            item = Item(
                category=document.category,
                confidentiality=document.confidentiality,
                author_id=author.id,
                organization_id=author.organization_id,
            )
            verdict = decide(consent, reader, Action.READ, item, Purpose.TREATMENT, look.at)
            if verdict.allowed:
                about = _about(verdict, reader, document)
                listed = Listed(count=1, **about)
                return [
                    row for told in (listed, Read(**about)) for row in self._tell(told, look.citizen, reader, look.at)
                ]
        return []

    def grant(self, grant: Grant) -> list[Row]:
        """A grant, told by who gave or took it."""
        citizen = self._by_person[grant.person_id]
        actor = requester_of(citizen.person) if grant.kind is GrantKind.CIRCLE else self.requester(grant.holder_id)
        return self._platform[Access].grants.grant_rows(grant, actor.actor, _origin(actor), at=grant.since)

    def requester(self, holder: UUID) -> Requester:
        """The requester that a professional (at work) or an organisation is."""
        return self._requesters[holder]

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

    def _author(self, piece: Piece) -> Requester:
        if piece.author is None:
            return requester_of(self._world.citizens[piece.number].person)
        return self.requester(piece.author)

    def _write_verdict(self, kind: str, profession: str, category: str) -> Verdict:
        """Raises ValueError when the rules would have refused such a document: the demo's data is wrong then."""
        person = self._world.citizens[0].person.id
        author = Requester(kind=kind, id=person, name="", profession=profession)
        consent = Consent(person_id=person, state=RecordState.OPEN)
        verdict = decide(consent, author, Action.WRITE, Item(category=category), _purpose(author), self._now)
        if not verdict.allowed:
            raise ValueError(f"{profession or kind} may not deposit {category}: {verdict.rule}")
        return verdict

    def _restriction(self, document: Document, citizen: Citizen) -> list[Row]:
        """Who limits a document is the person, at the moment it comes in."""
        if document.confidentiality is Confidentiality.NORMAL:
            return []
        person = requester_of(citizen.person)
        told = ConfidentialitySet(
            level=document.confidentiality.value,
            **_about(Verdict(True, "patient.read", "own"), person, document),
        )
        return self._tell(told, citizen, person, document.deposited_at)

    def _tell(self, told: Any, citizen: Citizen, requester: Requester, at: datetime) -> list[Row]:
        return self._platform.journal.rows(
            told, person_id=citizen.person.id, actor=requester.actor, origin=_origin(requester), at=at
        )


def _document(piece: Piece, citizen: Citizen, author: Requester) -> Document:
    category = category_of_type(piece.type)
    if category is None:
        raise ValueError(f"the record takes in no documents of type {piece.type}")
    return Document(
        id=piece.id,
        person_id=citizen.person.id,
        series_id=piece.id,
        replaces=None,
        version=1,
        status=Status.CURRENT,
        category=category.key,
        type=piece.type,
        title=piece.title,
        language=piece.language,
        event_date=piece.event_date,
        deposited_at=piece.deposited_at,
        changed_at=piece.deposited_at,
        author_kind=author.kind,
        author_id=author.id,
        author=author.name,
        organization_id=author.organization_id,
        organization=author.organization,
        media_type=piece.media_type,
        format=FORMAT_BY_MIME_TYPE,
        size=len(piece.content),
        sha256=piece.sha256,
        sha1=piece.sha1,
        confidentiality=Confidentiality(piece.confidentiality),
        submission_id=piece.id,
    )


def _about(verdict: Verdict, requester: Requester, document: Document) -> dict[str, Any]:
    about: dict[str, Any] = {
        "purpose": _purpose(requester).value,
        "allowed": verdict.allowed,
        "rule": verdict.rule,
        "reason": verdict.reason,
        "categories": (document.category,),
        "documents": (document.id,),
    }
    if verdict.grant:
        about |= {"grant_id": verdict.grant.id, "grant_kind": verdict.grant.kind.value}
    return about


def _purpose(requester: Requester) -> Purpose:
    return Purpose.PATIENT_REQUEST if requester.kind == "patient" else Purpose.TREATMENT


def _origin(requester: Requester) -> str:
    return ORIGIN.format(1 + (requester.organization_id or requester.id).int % 250)
