"""The use cases of retention: what a person's data are kept for, and agreements to keep them shorter or for life.

Source: RGD of 6 December 2019 (Memorial A909), article 9(5): the provider may set a shorter retention, or one for as
long as the record is open, with the person's agreement, which is dated in their own space.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Connection, Database, Objects, insert, uuid7
from esante.core.time_zone import day_of
from esante.core.web import N_, Page, Problem, decode_cursor, encode_cursor
from esante.identity.access import Access, Action, DispositionHandler, Item, Requester, Verdict, decide
from esante.services.record import errors, rules
from esante.services.record.audit import AuditWriter
from esante.services.record.documents import store as document_store
from esante.services.record.documents.series_lock import lock_visible
from esante.services.record.errors import Denied
from esante.services.record.model import Document, Listed, Status
from esante.services.record.retention import store
from esante.services.record.retention.events import RetentionChanged
from esante.services.record.retention.expiry import Expiry
from esante.services.record.retention.object_removal import ObjectRemoval
from esante.services.record.retention.rules import FOR_LIFE, last_kept_day, may_shorten_to
from esante.services.record.retention.store import Agreement, KeptContribution

SHOWN = ("soon", "life", "all")
"""What a list may show: what ends soon (the person was told), what is kept for life, everything."""
_SPARE = 50


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a person's record holds, by the day on which it ends: a page of documents, and the clinical data."""

    documents: Page[Document]
    contributions: Sequence[KeptContribution]


class Retention:
    """How long a record's documents and clinical data are kept. `removal` removes contents that no document has."""

    def __init__(self, db: Database, objects: Objects, journal: Journal, audit: AuditWriter, access: Access) -> None:
        self._db, self._audit, self._access = db, audit, access
        self._expiry = Expiry(db, journal, access)
        self.removal = ObjectRemoval(db, objects)

    def handlers(self) -> list[DispositionHandler]:
        """Return what the record does in dispositions."""
        return self._expiry.handlers()

    async def date_all(self) -> int:
        """Compute the last day of what has none yet (see `Expiry.date_all`)."""
        return await self._expiry.date_all()

    async def holdings(
        self, requester: Requester, shown: str = "soon", text: str = "", cursor: str | None = None, limit: int = 30
    ) -> Holdings:
        """Return a page of a person's own documents with their last day, and their clinical data; journalled.

        `text`: words of title, author or organisation. Nothing of a record that is not open.
        Raises: Problem 403 for a requester who is not a patient, 400 for a cursor that is not valid.
        """
        verdict = await self._own_verdict(requester)
        if not verdict.allowed:
            return Holdings(Page([]), ())
        after = tuple(decode_cursor(cursor, date, UUID)) if cursor else None
        words = rules.fold_text(text).split()
        found: list[Document] = []
        more = True
        while more and len(found) <= limit:
            batch = await document_store.fetch_by_expiry(self._db, requester.id, shown, after, limit + _SPARE)
            more = len(batch) == limit + _SPARE
            found += [one for one in batch if not one.misfiled and rules.has_words(one, words)]
            if batch:
                after = _place(batch[-1])
        page = Page(found[:limit], encode_cursor(*_place(found[limit - 1])) if len(found) > limit else None)
        contributions = [
            one
            for one in await store.fetch_contributions(self._db, requester.id)
            if _is_shown(one, shown) and not words and not cursor
        ]
        categories = {document.category for document in page.items} | {one.category for one in contributions}
        await self._audit.append(
            Listed, requester, requester.id, verdict, categories=tuple(sorted(categories)), count=len(page.items)
        )
        return Holdings(page, contributions)

    async def agreements(self, requester: Requester) -> list[tuple[Agreement, Document | None]]:
        """Return a person's own proposed and agreed retentions, newest first, each with its current document."""
        if not (await self._own_verdict(requester)).allowed:
            return []
        found = []
        for agreement in await store.fetch_agreements(self._db, requester.id):
            versions = await document_store.fetch_versions(self._db, requester.id, agreement.source_id)
            found.append((agreement, versions[0] if versions else None))
        return found

    async def keep(self, requester: Requester, source_id: UUID) -> None:
        """Keep a source of the requester's own record for as long as the record is open, by their agreement.

        Repeating it changes nothing. Raises: Problem 403, 404 for a source that is not theirs.
        """
        verdict = await self._require_own(requester)
        async with self._db.transaction() as conn:
            category = await self._lock_source(conn, requester.id, source_id)
            if await self._is_kept_for_life(conn, requester.id, source_id):
                return
            await self._agree(conn, self._agreement(requester.id, source_id, FOR_LIFE, state="agreed"))
            await self._journal(conn, requester, verdict, "kept", source_id, FOR_LIFE, category)

    async def propose(self, requester: Requester, person_id: UUID, document_id: UUID, until: date) -> Agreement:
        """Propose another retention of a document that the requester deposited (`until`: the last day, or FOR_LIFE).

        It holds when the person agrees. An earlier proposal about the document ends.
        Raises: Problem 404, 403 for the document of somebody else, 409 for one that is not the current version, 422
        for a day that is not shorter or leaves too little time for a notice.
        """
        async with self._audit.refusals(requester, person_id, "retention"):
            consent = await self._access.consent(person_id)
            visibility = rules.Visibility(requester, consent, clock.now())
            async with self._db.transaction() as conn:
                document, verdict, _ = await lock_visible(conn, visibility, document_id)
                if not rules.is_own(document, requester) or requester.kind == "patient":
                    raise Denied(errors.not_the_author(), verdict, document)
                if document.status is not Status.CURRENT:
                    raise errors.not_current()
                _check_day(document, until)
                await store.end_proposals(conn, person_id, document.series_id, clock.now())
                agreement = self._agreement(person_id, document.series_id, until, proposer=requester)
                await insert(conn, [store.agreement_row(agreement)])
                await self._journal(
                    conn, requester, verdict, "proposed", document.series_id, until, document.category, person_id
                )
        return agreement

    async def answer(self, requester: Requester, agreement_id: UUID, *, agreed: bool) -> None:
        """Agree to a proposed retention of the requester's own data, or refuse it.

        Raises: Problem 403, 404 when nothing of that is proposed, 422 when the day leaves too little time by now.
        """
        verdict = await self._require_own(requester)
        async with self._db.transaction() as conn:
            agreement = await self._lock_agreement(conn, requester.id, agreement_id, "proposed")
            category = await self._lock_source(conn, requester.id, agreement.source_id)
            if agreed:
                versions = await document_store.fetch_versions(conn, requester.id, agreement.source_id)
                _check_day(versions[0], agreement.until)
                await self._agree(conn, agreement)
            else:
                await store.set_agreement_state(conn, agreement, "refused", clock.now())
            change = "agreed" if agreed else "refused"
            await self._journal(conn, requester, verdict, change, agreement.source_id, agreement.until, category)

    async def end(self, requester: Requester, agreement_id: UUID) -> None:
        """End an agreement about the requester's own data: it is kept as without one, and its end is told.

        Raises: Problem 403, 404.
        """
        verdict = await self._require_own(requester)
        async with self._db.transaction() as conn:
            agreement = await self._lock_agreement(conn, requester.id, agreement_id, "agreed")
            category = await self._lock_source(conn, requester.id, agreement.source_id)
            await store.set_agreement_state(conn, agreement, "ended", clock.now())
            await store.set_source_day(conn, requester.id, agreement.source_id, None)
            days = [
                (requester.id, key, last_kept_day(at))
                for key, at in await store.fetch_deposits(conn, requester.id, agreement.source_id)
            ]
            await store.set_days(conn, "document", days)
            await self._journal(conn, requester, verdict, "ended", agreement.source_id, agreement.until, category)

    async def _own_verdict(self, requester: Requester) -> Verdict:
        """Return whether a person may read their own record now. Raises: Problem 403 for another requester."""
        if requester.kind != "patient":
            raise errors.patient_only()
        consent = await self._access.consent(requester.id)
        return decide(consent, requester, Action.READ, Item(category=""), rules.purpose_of(requester), clock.now())

    async def _require_own(self, requester: Requester) -> Verdict:
        verdict = await self._own_verdict(requester)
        if not verdict.allowed:
            raise errors.not_found()
        return verdict

    async def _lock_source(self, conn: Connection, person_id: UUID, source_id: UUID) -> str:
        """Lock the versions of a source; return its category. Raises: Problem 404."""
        documents = await document_store.lock_series(conn, person_id, source_id)
        contributions = [one for one in await store.fetch_contributions(conn, person_id) if one.id == source_id]
        categories = [*(one.category for one in documents), *(one.category for one in contributions)]
        if not categories:
            raise errors.not_found()
        return categories[0]

    async def _is_kept_for_life(self, conn: Connection, person_id: UUID, source_id: UUID) -> bool:
        return any(
            one.source_id == source_id and one.state == "agreed" and one.is_for_life
            for one in await store.fetch_agreements(conn, person_id)
        )

    async def _lock_agreement(self, conn: Connection, person_id: UUID, agreement_id: UUID, state: str) -> Agreement:
        agreement = await store.lock_agreement(conn, person_id, agreement_id)
        if agreement is None or agreement.state != state:
            raise errors.not_found()
        return agreement

    async def _agree(self, conn: Connection, agreement: Agreement) -> None:
        """Write an agreement that the person gave, and the last day of its source; earlier ones about it end."""
        now = clock.now()
        await store.end_agreements(conn, agreement.person_id, agreement.source_id, now)
        if agreement.state == "proposed":
            await store.set_agreement_state(conn, agreement, "agreed", now)
        else:
            await insert(conn, [store.agreement_row(agreement)])
        await store.set_source_day(conn, agreement.person_id, agreement.source_id, agreement.until)

    def _agreement(
        self,
        person_id: UUID,
        source_id: UUID,
        until: date,
        *,
        state: str = "proposed",
        proposer: Requester | None = None,
    ) -> Agreement:
        now = clock.now()
        return Agreement(
            id=uuid7(),
            person_id=person_id,
            source_id=source_id,
            until=until,
            state=state,
            proposer_id=proposer.id if proposer else None,
            proposer=proposer.name if proposer else "",
            organization=proposer.organization if proposer else "",
            proposed_at=now,
            decided_at=None if state == "proposed" else now,
        )

    async def _journal(
        self,
        conn: Connection,
        requester: Requester,
        verdict: Verdict,
        change: str,
        source_id: UUID,
        until: date,
        category: str,
        person_id: UUID | None = None,
    ) -> None:
        await self._audit.append(
            RetentionChanged,
            requester,
            person_id or requester.id,
            verdict,
            conn=conn,
            categories=(category,),
            change=change,
            until=until,
            source_id=source_id,
        )


def _place(document: Document) -> tuple[date, UUID]:
    return document.expires_on or date.max, document.id


def _is_shown(contribution: KeptContribution, shown: str) -> bool:
    for_life = contribution.expires_on == FOR_LIFE
    return {"soon": contribution.notified_on is not None, "life": for_life, "all": True}[shown]


def _check_day(document: Document, until: date) -> None:
    """Raise Problem 422 for a last day that is neither for life nor shorter with time for a notice."""
    if until != FOR_LIFE and not may_shorten_to(until, document.deposited_at, day_of(clock.now())):
        raise Problem(
            422,
            "value",
            N_("This day is not possible."),
            place="until",
            remedy=N_("Choose a day at least three months from now and before the ten years are over."),
        )
