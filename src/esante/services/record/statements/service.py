"""The use cases of statements: state, take back, defer, read.

Only the person writes (RGD of 6 December 2019, article 6; annex 1: every profession reads the holder's own space).
A statement is a Consent of the record, so that reading it is decided and journalled as any other access, each change
is a version, and software finds it over FHIR.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import UUID

from esante.core import clock
from esante.core.fhir import decode, encode
from esante.core.fhir.store import Version
from esante.core.journal import Journal
from esante.core.storage import Database
from esante.core.time_zone import day_of
from esante.core.web import N_, Problem, bad_request
from esante.identity.access import RecordState, Requester
from esante.services.record.clinical.read import ClinicalReader
from esante.services.record.clinical.write import ClinicalWriter
from esante.services.record.errors import patient_only
from esante.services.record.model import Deposit, Deposited
from esante.services.record.statements import store
from esante.services.record.statements.model import Statement, StatementDeferred
from esante.services.record.statements.resource import IDENTIFIER_PATH, consent_of, statement_of
from esante.services.record.statements.terms import ORGAN_DONATION, StatementKind, statement_terms

MAX_TEXT, MAX_LINE = 2_000, 200
"""Characters of a person's own words, and of where the original lies or whom they trust."""
_MAX_VERSIONS = 200
"""Versions of all statements of a person that a page shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementHistory:
    """A kind of statement with all that a person stated, the latest first; `kind` has its words."""

    kind: StatementKind
    versions: tuple[Statement, ...] = ()

    @property
    def current(self) -> Statement | None:
        """What holds now; None where nothing was stated, or it was taken back."""
        return self.versions[0] if self.versions and self.versions[0].active else None


class Statements:
    """States and reads; every change is a version of a resource with its journal entry in one transaction."""

    def __init__(
        self,
        db: Database,
        journal: Journal,
        reader: ClinicalReader,
        writer: ClinicalWriter,
        deposit: Callable[[Requester, UUID, bytes, Deposit], Awaitable[Deposited]],
        fhir_url: str,
    ) -> None:
        self._db, self._journal, self._deposit = db, journal, deposit
        self._reader, self._writer = reader, writer
        self._system = fhir_url.removesuffix("/fhir") + IDENTIFIER_PATH

    async def state(self, requester: Requester, statement: Statement) -> None:
        """Write a statement of the requester's own, as the next version of the one of its kind.

        Raises: Problem 400 for a kind, answer or text that is not valid, 403 for a requester who is not a patient, or
        whose record is not open.
        """
        kind = self._kind(requester, statement.kind)
        if kind.is_question and statement.active and statement.opposes is None:
            raise bad_request("opposes", N_("Choose an answer."), code="required")
        _check_text(statement)
        if not kind.is_question and statement.active and not (statement.text or statement.document_id):
            raise bad_request("text", N_("Write something, or add a document."), code="required")
        consent = consent_of(statement, kind, requester.id, clock.now(), self._system)
        await self._writer.update_match(requester, "Consent", f"identifier={self._system}|{kind.key}", encode(consent))
        async with self._db.transaction() as conn:
            await store.set_ask_on(conn, requester.id, kind.key, date.max)

    async def with_document(
        self, requester: Requester, statement: Statement, content: bytes, meta: Deposit
    ) -> Statement:
        """Add a document to the requester's own record; return the statement with it. Raises: as `deposit`."""
        self._kind(requester, statement.kind)
        deposited = await self._deposit(requester, requester.id, content, meta)
        return replace(statement, document_id=deposited.document.id)

    async def with_known_document(self, requester: Requester, statement: Statement) -> Statement:
        """Return a statement with the document of the one that holds now, if it has one."""
        found = {one.kind.key: one.current for one in await self.read(requester, requester.id)}.get(statement.kind)
        return replace(statement, document_id=found.document_id) if found else statement

    async def take_back(self, requester: Requester, kind: str) -> None:
        """Take a statement of the requester's own back: it stays in the history. Raises: as `state`."""
        found = {one.kind.key: one for one in await self.read(requester, requester.id)}.get(kind)
        if found is None or found.current is None:
            raise Problem(409, "conflict", N_("You have not stated this."), remedy=N_("Open the page again."))
        await self.state(requester, replace(found.current, active=False))

    async def defer(self, requester: Requester, kind: str) -> None:
        """Note that the requester does not want to state something now; they are asked again later."""
        self._kind(requester, kind)
        today = day_of(clock.now())
        ask_on = today + timedelta(days=statement_terms(today).ask_again_days)
        async with self._db.transaction() as conn:
            await store.set_ask_on(conn, requester.id, kind, ask_on)
            event = StatementDeferred(kind=kind, ask_on=ask_on)
            await self._journal.append_for(requester, event, person_id=requester.id, conn=conn)

    async def is_asked(self, requester: Requester, state: RecordState) -> bool:
        """Return whether a person is asked about organ donation now: at their first access, and again later."""
        if requester.kind != "patient" or state is not RecordState.OPEN:
            return False
        ask_on = await store.find_ask_on(self._db, requester.id, ORGAN_DONATION)
        return ask_on is None or ask_on <= day_of(clock.now())

    async def read(self, requester: Requester, person_id: UUID) -> list[StatementHistory]:
        """Return each kind of statement with what the requester may see of a person's; journalled as a search."""
        versions = await self._reader.read_history(requester, person_id, types=["Consent"], limit=_MAX_VERSIONS)
        return [
            StatementHistory(kind=kind, versions=tuple(_of_kind(versions, kind)))
            for kind in statement_terms(day_of(clock.now())).kinds.values()
        ]

    def _kind(self, requester: Requester, key: str) -> StatementKind:
        if requester.kind != "patient" or requester.only_person_id != requester.id:
            raise patient_only()
        kind = statement_terms(day_of(clock.now())).kinds.get(key)
        if kind is None:
            raise bad_request("kind", N_("This statement does not exist."), code="value")
        return kind


def _of_kind(versions: Sequence[Version], kind: StatementKind) -> list[Statement]:
    """Return the statements of a kind among versions of Consents, the latest first."""
    found = []
    for version in versions:
        consent = {} if version.deleted else decode(version.body)
        codes = [coding for concept in consent.get("category") or () for coding in concept.get("coding") or ()]
        if any((one.get("system"), one.get("code")) == (kind.system, kind.code) for one in codes):
            found.append(statement_of(consent, kind.key, version.since, version.version))
    return found


def _check_text(statement: Statement) -> None:
    """Raise Problem 400 for a text that is too long or holds control characters."""
    for name, longest in (("text", MAX_TEXT), ("location", MAX_LINE), ("trusted_person", MAX_LINE)):
        value: str = getattr(statement, name)
        if len(value) > longest:
            raise bad_request(name, N_("This text is too long."), N_("Use fewer words."), code="too-long")
        if not value.replace("\n", " ").isprintable():
            raise bad_request(name, N_("This text has characters that are not allowed."), code="value")
