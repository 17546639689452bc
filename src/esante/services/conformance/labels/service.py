"""The use cases of labels: apply, review by two operators, withdraw, tend what expires or is outdated, publish."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from uuid import UUID

from asyncpg import UniqueViolationError

from esante.core import clock
from esante.core.journal import SYSTEM, Actor, Journal
from esante.core.storage import Connection, Database, insert, uuid7
from esante.core.time_zone import today
from esante.core.types import Json
from esante.core.web import (
    N_,
    NOT_FOUND,
    Page,
    Problem,
    bad_request,
    clean_text,
    decode_uuid_cursor,
    encode_cursor,
)
from esante.identity.access import Requester, require_operator
from esante.services.conformance.kits import run_store
from esante.services.conformance.kits.catalogue import kits
from esante.services.conformance.kits.run_model import KeptRun
from esante.services.conformance.kits.runs import Runs
from esante.services.conformance.labels import label_store, rules
from esante.services.conformance.labels.label_store import LabelSearch
from esante.services.conformance.labels.model import (
    EndCause,
    Label,
    LabelApplied,
    LabelCase,
    LabelEnded,
    LabelGranted,
    LabelOutdated,
    LabelReviewed,
    LabelState,
    ListedLabel,
    Review,
)
from esante.services.conformance.model import Product, Version
from esante.services.conformance.rules import LONGEST, SHORTEST
from esante.services.conformance.service import Conformance
from esante.services.conformance.terms import LabelTerms, terms_on
from esante.services.conformance.vendors.model import VendorStatus
from esante.services.conformance.vendors.service import Vendors

PAGE_SIZE = 20
MOST_COUNTED = 100
MOST_SHOWN = 20


class Labels:
    """The labels of all versions. A vendor applies for their own; operators review and withdraw; all is journalled."""

    def __init__(self, db: Database, journal: Journal, conformance: Conformance, vendors: Vendors, runs: Runs) -> None:
        self._db, self._journal = db, journal
        self._conformance, self._vendors, self._runs = conformance, vendors, runs

    async def published(
        self, text: str = "", kit: str = "", cursor: str | None = None, limit: int = PAGE_SIZE
    ) -> Page[ListedLabel]:
        """Return a page of the labels that hold today, newest first, for everybody. Raises: Problem 400."""
        wanted = LabelSearch(words=text.lower().split(), kit=kit, state=LabelState.GRANTED.value, holds_on=today())
        return await self._search(wanted, cursor, limit)

    async def search(
        self, requester: Requester, text: str = "", state: str = "", cursor: str | None = None
    ) -> Page[ListedLabel]:
        """Return a page of all labels and applications, newest first.

        Raises: Problem 403 for a requester who is not an operator, 400 for a wrong cursor.
        """
        require_operator(requester)
        return await self._search(LabelSearch(words=text.lower().split(), state=state), cursor, PAGE_SIZE)

    async def _search(self, wanted: LabelSearch, cursor: str | None, limit: int) -> Page[ListedLabel]:
        found = await label_store.search(self._db, wanted, decode_uuid_cursor(cursor), limit + 1)
        following = encode_cursor(found[limit - 1].label.label_id) if len(found) > limit else None
        return Page(found[:limit], following)

    async def of_versions(self, versions: Sequence[UUID]) -> Mapping[UUID, list[Label]]:
        """Return the labels of versions and applications for them by version, newest first."""
        found = await label_store.fetch_labels(self._db, versions)
        return {id_: [label for label in found if label.version_id == id_] for id_ in versions}

    async def of_vendor(self, requester: Requester) -> list[ListedLabel]:
        """Return the newest labels of the vendor who is signed in."""
        vendor = await self._vendors.current(requester)
        return await label_store.fetch_of_vendor(self._db, vendor.vendor_id, MOST_SHOWN)

    async def count_waiting(self) -> int:
        """Return how many applications wait for a decision; at most `MOST_COUNTED`."""
        return await label_store.count_applied(self._db, MOST_COUNTED)

    async def evidence(self, requester: Requester, versions: Sequence[UUID]) -> Mapping[UUID, list[KeptRun]]:
        """Return the runs with which the vendor who is signed in may apply now, newest first, by version."""
        vendor, now, terms = await self._vendors.current(requester), clock.now(), terms_on(today())
        found = await run_store.passed_runs(self._db, vendor.vendor_id, now - terms.evidence_age)
        runs = [run for run in found if not self._findings(run, vendor.vendor_id, terms)]
        return {
            version_id: [run for run in runs if rules.may_apply(own, run.kit, run.kit_version, today(), terms)]
            for version_id, own in (await self.of_versions(versions)).items()
        }

    async def apply(self, requester: Requester, version_id: UUID, run_id: UUID | None) -> Label:
        """Apply for the label of a version of the requester's own, with a run as evidence; return the application.

        Raises: Problem 400 for a run that is no evidence, 404 for a version of another, 409 while the vendor is not
        accepted, an application waits, or the version has the label.
        """
        vendor = await self._vendors.accepted(requester)
        _, version = await self._conformance.find_version(requester, version_id)
        run = await run_store.find_run(self._db, run_id) if run_id else None
        if run is None or run.vendor_id != vendor.vendor_id:
            raise bad_request("run", N_("Choose the test that is the evidence."), code="value")
        terms, now = terms_on(today()), clock.now()
        if found := self._findings(run, vendor.vendor_id, terms):
            raise bad_request("run", found[0], N_("Run the test again."), code="value")
        if not rules.may_apply(
            await label_store.fetch_labels(self._db, [version_id]), run.kit, run.kit_version, today(), terms
        ):
            raise _applied_already()
        label = Label(
            label_id=uuid7(),
            version_id=version.version_id,
            vendor_id=vendor.vendor_id,
            run_id=run.run_id,
            kit=run.kit,
            kit_version=run.kit_version,
            state=LabelState.APPLIED,
            applied_at=now,
        )
        event = LabelApplied(
            label_id=label.label_id,
            version_id=version.version_id,
            vendor_id=vendor.vendor_id,
            kit=run.kit,
            kit_version=run.kit_version,
            run_id=run.run_id,
        )
        try:
            async with self._db.transaction() as conn:
                await insert(conn, [label_store.label_row(label), *self._journal.rows_for(requester, event)])
        except UniqueViolationError as error:
            raise _applied_already() from error
        return label

    def _findings(self, run: KeptRun, vendor_id: UUID, terms: LabelTerms) -> list[str]:
        return rules.findings(run, vendor_id, _present_version(run.kit), clock.now(), terms)

    async def case(self, requester: Requester, label_id: UUID) -> LabelCase:
        """Return a label with its reviews and what speaks against it. Raises: Problem 403, 404."""
        require_operator(requester)
        listed = await label_store.find_listed(self._db, label_id)
        if listed is None:
            raise Problem(404, "not-found", NOT_FOUND)
        run = await self._evidence_of(listed.label)
        terms = terms_on(today())
        found = rules.findings(run, listed.label.vendor_id, _present_version(run.kit), listed.label.applied_at, terms)
        vendor = await self._vendors.find(requester, listed.label.vendor_id)
        if vendor.status is not VendorStatus.ACCEPTED:
            found.append(N_("The vendor’s account is not accepted."))
        return LabelCase(listed=listed, reviews=await label_store.fetch_reviews(self._db, label_id), findings=found)

    async def report(self, requester: Requester, label_id: UUID) -> tuple[KeptRun, Json]:
        """Return the run that is a label's evidence, with its report, for an operator. Raises: Problem 403, 404."""
        case = await self.case(requester, label_id)
        run = await self._evidence_of(case.listed.label)
        return run, self._runs.content(run)

    async def _evidence_of(self, label: Label) -> KeptRun:
        run = await run_store.find_run(self._db, label.run_id)
        assert run is not None, "a label refers to its run"
        return run

    async def review(self, requester: Requester, label_id: UUID, *, approved: bool, reason: str = "") -> Label:
        """Approve or refuse an application; the second approval by another operator grants the label.

        Raises: Problem 400 for a refusal without a reason, 403 for a requester who is not an operator, 404, 409 for an
        application that is decided, was reviewed by the same operator, or can no longer be granted.
        """
        case = await self.case(requester, label_id)
        reason = clean_text(reason, 0 if approved else SHORTEST, LONGEST, "reason")
        version = await self._conformance.find_version(requester, case.listed.label.version_id)
        async with self._db.transaction() as conn:
            label = await _locked(conn, label_id)
            reviews = await label_store.fetch_reviews(conn, label_id)
            rules.check_review(label, reviews, requester.id)
            if approved and case.findings:
                raise Problem(409, "conflict", case.findings[0], remedy=N_("Refuse the application."))
            review = Review(
                label_id=label_id,
                operator_id=requester.id,
                operator=requester.name,
                at=clock.now(),
                approved=approved,
                reason=reason,
            )
            event = LabelReviewed(
                label_id=label_id, version_id=label.version_id, kit=label.kit, approved=approved, reason=reason
            )
            await insert(conn, [label_store.review_row(review), *self._journal.rows_for(requester, event)])
            state = rules.state_after([*reviews, review])
            if state is LabelState.GRANTED:
                return await self._grant(conn, requester, label, *version)
            decided = replace(label, state=state)
            if state is LabelState.REFUSED:
                decided = replace(decided, ended_at=review.at, reason=reason)
            await label_store.write_label(conn, decided)
        return decided

    async def _grant(
        self, conn: Connection, requester: Requester, label: Label, product: Product, version: Version
    ) -> Label:
        """Grant a label, in place of an earlier one of the version for the kit."""
        now = clock.now()
        if before := await label_store.lock_granted(conn, label.version_id, label.kit):
            await label_store.write_label(conn, replace(before, state=LabelState.RENEWED, ended_at=now))
        until = today() + terms_on(today()).label_lifetime
        granted = replace(label, state=LabelState.GRANTED, granted_at=now, until=until)
        await label_store.write_label(conn, granted)
        event = LabelGranted(
            label_id=label.label_id,
            version_id=label.version_id,
            product=product.name,
            vendor_id=label.vendor_id,
            vendor=product.vendor,
            version=version.version,
            kit=label.kit,
            kit_version=label.kit_version,
            clients=version.clients,
            until=until,
        )
        await insert(conn, self._journal.rows_for(requester, event))
        return granted

    async def withdraw(self, requester: Requester, label_id: UUID, reason: str) -> Label:
        """Withdraw a granted label.

        Raises: Problem 400 for a missing reason, 403 for a requester who is not an operator, 404, 409 for a label that
        is not granted.
        """
        require_operator(requester)
        reason = clean_text(reason, SHORTEST, LONGEST, "reason")
        async with self._db.transaction() as conn:
            label = await _locked(conn, label_id)
            if label.state is not LabelState.GRANTED:
                raise Problem(409, "conflict", N_("This label has ended already."))
            return await self._end(conn, requester.actor, label, EndCause.WITHDRAWN, reason)

    async def _end(self, conn: Connection, actor: Actor, label: Label, cause: EndCause, reason: str = "") -> Label:
        ended = replace(label, state=LabelState.ENDED, ended_at=clock.now(), cause=cause.value, reason=reason)
        await label_store.write_label(conn, ended)
        event = LabelEnded(
            label_id=label.label_id, version_id=label.version_id, kit=label.kit, cause=cause.value, reason=reason
        )
        await insert(conn, self._journal.rows(event, actor=actor))
        return ended

    async def tend(self) -> None:
        """End the labels whose time is over, and mark those whose kit has a new version; to be run daily."""
        for label_id in await label_store.granted_ids(self._db):
            async with self._db.transaction() as conn:
                label = await _locked(conn, label_id)
                if label.state is LabelState.GRANTED:
                    await self._tend(conn, label, today())

    async def _tend(self, conn: Connection, label: Label, day: date) -> None:
        by = rules.run_again_by(label, _present_version(label.kit), day, terms_on(day))
        if by is not None and by != label.run_again_by:
            label = replace(label, run_again_by=by)
            await label_store.write_label(conn, label)
            event = LabelOutdated(label_id=label.label_id, version_id=label.version_id, kit=label.kit, run_again_by=by)
            await insert(conn, self._journal.rows(event))
        if cause := rules.end_cause(label, day):
            await self._end(conn, SYSTEM, label, cause)


async def _locked(conn: Connection, label_id: UUID) -> Label:
    label = await label_store.lock_label(conn, label_id)
    if label is None:
        raise Problem(404, "not-found", NOT_FOUND)
    return label


def _present_version(kit: str) -> str | None:
    found = kits().get(kit)
    return found.version if found else None


def _applied_already() -> Problem:
    return Problem(
        409,
        "conflict",
        N_("This version has the label, or an application for it waits."),
        remedy=N_("Open the page again to see the present state."),
    )
