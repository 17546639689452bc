"""How the record tells the journal of each access: what was asked, of which documents, and the verdict."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from esante.core.journal import Journal
from esante.core.storage import Database, Row
from esante.core.web import N_, NOT_FOUND, Problem
from esante.identity.access import AccessEvent, GrantKind, Purpose, Requester, Verdict
from esante.services.record import rules
from esante.services.record.model import Document, Refused


class Denied(Exception):
    """An act that the requester may not do: `problem` is what he is told, the rest what the journal is told."""

    def __init__(
        self,
        problem: Problem,
        verdict: Verdict | None = None,
        document: Document | None = None,
        category: str = "",
    ) -> None:
        super().__init__(problem.title)
        self.problem, self.verdict, self.document = problem, verdict, document
        self.categories = (document.category,) if document else (category,) if category else ()


class Teller:
    """Makes the journal's rows for one database."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal

    def rows(
        self,
        event: type[AccessEvent],
        requester: Requester,
        person_id: UUID,
        verdict: Verdict | None,
        touched: Iterable[Document] = (),
        **fields: Any,
    ) -> list[Row]:
        """The rows that tell of an access to the `touched` documents of a person; `fields` are the event's own."""
        touched = tuple(touched)
        told = event(
            **{
                "categories": tuple(sorted({document.category for document in touched})),
                "documents": tuple(document.id for document in touched),
                **_verdict(requester, verdict),
                **fields,
            }
        )
        return self._journal.rows(told, person_id=person_id, actor=requester.actor, origin=requester.origin)

    @asynccontextmanager
    async def refusals(self, requester: Requester, person_id: UUID, action: str) -> AsyncIterator[None]:
        """Tell of a `Denied` that the act raises, then raise the problem of it."""
        try:
            yield
        except Denied as denied:
            documents = (denied.document.id,) if denied.document else ()
            await self._db.write(
                self.rows(
                    Refused,
                    requester,
                    person_id,
                    denied.verdict,
                    allowed=False,
                    action=action,
                    categories=denied.categories,
                    documents=documents,
                )
            )
            raise denied.problem from None


def _verdict(requester: Requester, verdict: Verdict | None) -> dict[str, Any]:
    purpose = rules.purpose_of(requester)
    if verdict is None:
        return {"purpose": purpose.value, "rule": "record.absent"}
    fields: dict[str, Any] = {
        "purpose": purpose.value,
        "allowed": verdict.allowed,
        "rule": verdict.rule,
        "reason": verdict.reason,
    }
    if verdict.grant is not None:
        fields |= {"grant_id": verdict.grant.id, "grant_kind": verdict.grant.kind.value}
        if verdict.grant.kind is GrantKind.EMERGENCY:
            fields["purpose"] = Purpose.EMERGENCY.value
    return fields


def must_see(sight: rules.Sight, document: Document | None) -> Verdict:
    """The verdict on a document that is there for the requester; raises `Denied` alike for absent and refused."""
    if document is None:
        raise Denied(not_found())
    verdict = sight.verdict(document)
    if not sight.sees(document):
        raise Denied(not_found(), verdict, document)
    return verdict


def not_found() -> Problem:
    """What is answered for a document that is not there, and for one that is not for the requester."""
    return Problem(404, "not-found", NOT_FOUND)


def unknown_person(place: str = "subject") -> Problem:
    """There is no such person."""
    return Problem(
        422,
        "not-found",
        N_("There is no such patient."),
        place=place,
        remedy=N_("Look the patient up again by identifier."),
    )


def record_closed() -> Problem:
    """Said to a depositor of any record that takes nothing in, whatever the reason."""
    return Problem(
        403,
        "forbidden",
        N_("The record of this patient takes nothing in: it is not open."),
        remedy=N_("Give the document to the patient in another way."),
    )


def no_right(place: str = "type") -> Problem:
    """The matrix gives no right to write documents of this category."""
    return Problem(
        403,
        "forbidden",
        N_("Your profession may not put documents of this kind into a record."),
        place=place,
        remedy=N_("Ask a colleague whose profession may."),
    )


def not_yours() -> Problem:
    """The document is seen, but belongs to another author."""
    return Problem(
        403,
        "forbidden",
        N_("Only the author of a document or the organisation it comes from may change it."),
        remedy=N_("Ask them to change it."),
    )


def not_current() -> Problem:
    """The document is not the current version any more."""
    return Problem(
        409,
        "conflict",
        N_("This is not the current version of the document."),
        remedy=N_("Read the document again, and change its current version."),
    )


def elsewhere() -> Problem:
    """The bytes of a new version are already another current document of the same depositor."""
    return Problem(
        409,
        "duplicate",
        N_("The same bytes are in the record already, as another document."),
        place="relatesTo",
        remedy=N_("Send the new version, or withdraw one of the two documents."),
    )


def patient_alone() -> Problem:
    """Only the patient sets how far a document goes."""
    return Problem(
        403,
        "forbidden",
        N_("Only the patient decides how far a document goes."),
        remedy=N_("Ask the patient."),
    )


def no_such_page() -> Problem:
    """A cursor that no page of ours ever carried."""
    return Problem(
        400,
        "invalid",
        N_("This page of the list does not exist."),
        remedy=N_("Please start from the first page."),
    )


def not_by_id(type_: str) -> Problem:
    """Ids are given here, since they carry the person's key."""
    return Problem(
        405,
        "not-supported",
        N_("A resource cannot be created under an id of one's own."),
        place=f"{type_}.id",
        remedy=N_("Create it with POST; its id comes with the answer."),
    )
