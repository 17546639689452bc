"""Oppositions: against the deposit of documents of given care, and against what representatives are told.

Source: RGD of 6 December 2019 (Memorial A909), article 6 (deposits); law of 24 July 2014, article 13 (parents).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database, insert, uuid7
from esante.core.time_zone import day_of
from esante.core.web import N_, NOT_FOUND, Problem, bad_request
from esante.identity.access.choice_events import OppositionChanged
from esante.identity.access.choices import choice_terms, require_period
from esante.identity.access.consent import opposition_store, store
from esante.identity.access.consent.lifecycle import lock_record, require_acts_alone, require_own_record
from esante.identity.access.consent.opposition_store import RecordedOpposition
from esante.identity.access.consent.restrictions import name_of_professional
from esante.identity.access.model import Against, Consent, Opposition, RecordState, Requester
from esante.identity.access.regulation.policy_set import policy_set
from esante.identity.access.rules import decide_opening
from esante.identity.directory import Directory

MAX_OPPOSITIONS = 200
"""How many oppositions of one person may hold at a time."""
_PROFESSIONAL = ("practitioner", "organization")


class Oppositions:
    """Records and lifts oppositions; every change is journalled in its transaction.

    Every method raises Problem 400 for days or a document class that are not valid, and for an opposition to deposits
    without its risk told; 403 for a requester who may not do this, 409 when the record is not open, 429 for too many.
    """

    def __init__(self, db: Database, journal: Journal, directory: Directory) -> None:
        self._db, self._journal, self._directory = db, journal, directory

    async def list_current(self, person_id: UUID, against: Against) -> list[RecordedOpposition]:
        """Return a person's oppositions of a kind that were not lifted, newest first."""
        return await opposition_store.fetch_oppositions(self._db, person_id, [against])

    async def oppose(
        self, requester: Requester, depositor_kind: str, opposition: Opposition, *, risk_confirmed: bool = False
    ) -> Opposition:
        """Record an opposition of the requester's own, who confirmed its risk (`risk_confirmed`); return it.

        Raises: Problem 404 for a depositor (of `depositor_kind`) who is not in the directory.
        """
        person_id = require_own_record(requester)
        if opposition.depositor_id is not None:
            name = await name_of_professional(self._directory, depositor_kind, opposition.depositor_id)
            opposition = replace(opposition, depositor=name)
        return await self._record(requester, person_id, depositor_kind, opposition, risk_confirmed=risk_confirmed)

    async def record_on_word(
        self, requester: Requester, person_id: UUID, opposition: Opposition, *, risk_confirmed: bool = False
    ) -> Opposition:
        """Record what a person told a professional: about the professional's own care, or that of their organisation.

        Against representatives only somebody who treats the person, and has access, records it: of a document too.
        Raises: Problem 404 for a person who is unknown, or whose record a professional may not open for that.
        """
        if requester.kind not in _PROFESSIONAL:
            raise Problem(403, "forbidden", N_("Only health professionals can do this."))
        consent = await store.fetch_consents(self._db, [person_id])
        if not _may_record(consent.get(person_id), requester, opposition.against):
            raise Problem(404, "not-found", NOT_FOUND)
        kind = "organization" if requester.organization_id else requester.kind
        if opposition.series_id is None:
            depositor = requester.organization or requester.name
            opposition = replace(
                opposition, depositor_id=requester.organization_id or requester.id, depositor=depositor
            )
        return await self._record(requester, person_id, kind, opposition, on_word=True, risk_confirmed=risk_confirmed)

    async def lift(self, requester: Requester, opposition_id: UUID) -> None:
        """Lift an opposition of the requester's own. Raises: Problem 404 when there is no such one."""
        async with self._db.transaction() as conn:
            person_id = await require_acts_alone(conn, requester)
            await lock_record(conn, person_id)
            found = await opposition_store.end_opposition(conn, person_id, opposition_id, clock.now())
            if found is None:
                raise Problem(404, "not-found", NOT_FOUND, remedy=N_("It may have already ended."))
            event = _changed(found.opposition, ended=True)
            await self._journal.append_for(requester, event, person_id=person_id, conn=conn)

    async def _record(
        self,
        requester: Requester,
        person_id: UUID,
        depositor_kind: str,
        opposition: Opposition,
        *,
        on_word: bool = False,
        risk_confirmed: bool,
    ) -> Opposition:
        if opposition.against is Against.DEPOSIT and not risk_confirmed:
            raise bad_request(
                "risk_confirmed",
                N_("Say first what this can mean for the patient."),
                N_("Confirm that it was told."),
                code="required",
            )
        _check(opposition)
        recorded = RecordedOpposition(
            opposition=replace(opposition, id=uuid7()),
            depositor_kind=depositor_kind if opposition.depositor_id else "",
            on_word=on_word,
            recorder=requester.name,
            recorded_at=clock.now(),
        )
        async with self._db.transaction() as conn:
            if not on_word:
                await require_acts_alone(conn, requester)
            await lock_record(conn, person_id, open_only=True)
            known = await opposition_store.fetch_oppositions(conn, person_id)
            for one in known:
                if replace(one.opposition, id=recorded.opposition.id) == recorded.opposition:
                    return one.opposition
            _check_count(known)
            risk = opposition.against.value if opposition.against is Against.DEPOSIT else ""
            event = _changed(recorded.opposition, on_word=on_word, risk=risk)
            rows = self._journal.rows_for(requester, event, person_id=person_id)
            await insert(conn, [opposition_store.opposition_row(person_id, recorded), *rows])
        return recorded.opposition


def care_opposition(
    against: Against,
    depositor_id: UUID | None,
    care_from: date | None,
    care_until: date | None,
    document_class: str = "",
) -> Opposition:
    """Return an opposition about care by a depositor on some days, before it is recorded."""
    return Opposition(
        id=uuid7(),
        against=against,
        depositor_id=depositor_id,
        document_class=document_class,
        care_from=care_from,
        care_until=care_until,
    )


def _may_record(consent: Consent | None, requester: Requester, against: Against) -> bool:
    """Return whether a professional may record a person's opposition: where they may add documents, or read them."""
    if consent is None or consent.state is not RecordState.OPEN:
        return False
    if requester.only_person_id not in (None, consent.person_id):
        return False
    return against is Against.DEPOSIT or decide_opening(consent, requester, clock.now()).allowed


def _check(opposition: Opposition) -> None:
    """Raise Problem 400 for days or a document class that are not valid."""
    now = clock.now()
    if opposition.series_id is not None:
        return
    require_period(opposition.care_from, opposition.care_until, choice_terms(day_of(now)).opposition_longest_days)
    if opposition.document_class and opposition.document_class not in policy_set().at(now).categories:
        raise bad_request("document_class", N_("Choose a type of document from the list."), code="value")


def _check_count(known: Sequence[RecordedOpposition]) -> None:
    if len(known) >= MAX_OPPOSITIONS:
        raise Problem(
            429, "throttled", N_("There are too many oppositions."), remedy=N_("Lift one that is not needed any more.")
        )


def _changed(
    opposition: Opposition, *, ended: bool = False, on_word: bool = False, risk: str = ""
) -> OppositionChanged:
    return OppositionChanged(
        opposition_id=opposition.id,
        against=opposition.against.value,
        ended=ended,
        on_word=on_word,
        depositor_id=opposition.depositor_id,
        depositor=opposition.depositor,
        document_class=opposition.document_class,
        care_from=opposition.care_from,
        care_until=opposition.care_until,
        series_id=opposition.series_id,
        risk=risk,
    )
