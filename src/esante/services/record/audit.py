"""Audit entries for access to a record: what was requested, of which documents, and the verdict."""

from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from uuid import UUID

from esante.core.journal import Journal
from esante.core.storage import Connection, Database, Row, insert
from esante.core.types import Json
from esante.identity.access import AccessEvent, GrantKind, Purpose, Requester, Verdict
from esante.services.record import rules
from esante.services.record.errors import Denied
from esante.services.record.model import Document, Refused


class AuditWriter:
    """Writes audit entries to the journal of one database."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal

    def rows(
        self,
        event: type[AccessEvent],
        requester: Requester,
        person_id: UUID,
        verdict: Verdict | None,
        documents: Iterable[Document] = (),
        /,
        **fields: Any,
    ) -> list[Row]:
        """Return the rows of an entry about an access to documents of a person.

        `verdict` None: nothing was there to decide on. `fields` are the event's own; they may replace the
        `categories` and `documents` that follow from the documents.
        """
        documents = tuple(documents)
        values: Json = {
            "categories": tuple(sorted({document.category for document in documents})),
            "documents": tuple(document.id for document in documents),
            **_verdict_fields(requester, verdict),
            **fields,
        }
        return self._journal.rows_for(requester, event(**values), person_id=person_id)

    async def append(
        self,
        event: type[AccessEvent],
        requester: Requester,
        person_id: UUID,
        verdict: Verdict | None,
        documents: Iterable[Document] = (),
        /,
        *,
        conn: Connection | None = None,
        **fields: Any,
    ) -> None:
        """Append an entry (see `rows`): in the transaction of `conn`, or else durable on return."""
        rows = self.rows(event, requester, person_id, verdict, documents, **fields)
        if conn is None:
            await self._db.write(rows)
        else:
            await insert(conn, rows)

    def refusals(
        self,
        requester: Requester,
        person_id: UUID,
        action: str,
        event: type[AccessEvent] = Refused,
        **fields: Any,
    ) -> "RefusalAudit":
        """Return a context manager that appends an entry for a `Denied` raised within it, then raises its problem.

        `event` has a field `action`; `fields` are its further fields. A `Denied` may bring an event of its own.
        """
        return RefusalAudit(self, requester, person_id, event, {"action": action, **fields})


@dataclass(frozen=True, slots=True)
class RefusalAudit:
    """The context in which a `Denied` becomes an audit entry and a problem (see `AuditWriter.refusals`)."""

    _audit: AuditWriter
    _requester: Requester
    _person_id: UUID
    _event: type[AccessEvent]
    _fields: Json

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Denied):
            event, own = (error.event, error.fields) if error.event else (self._event, self._fields)
            fields = {**own, "allowed": False, "categories": error.categories}
            if error.document is not None:
                fields["documents"] = (error.document.id,)
            await self._audit.append(event, self._requester, self._person_id, error.verdict, **fields)
            raise error.problem from None


def _verdict_fields(requester: Requester, verdict: Verdict | None) -> Json:
    purpose = rules.purpose_of(requester)
    if verdict is None:
        return {"purpose": purpose.value, "rule": "record.absent"}
    fields: Json = {
        "purpose": purpose.value,
        "allowed": verdict.allowed,
        "rule": verdict.rule,
        "reason": verdict.reason,
        "context": verdict.context,
    }
    if verdict.grant is not None:
        fields |= {"grant_id": verdict.grant.id, "grant_kind": verdict.grant.kind.value}
        if verdict.grant.kind is GrantKind.EMERGENCY:
            fields["purpose"] = Purpose.EMERGENCY.value
    return fields
