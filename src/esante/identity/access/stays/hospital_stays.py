"""Hospital stays: admissions and discharges that a hospital reports, and the grant that a stay gives."""

from dataclasses import replace
from datetime import date, datetime
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import NIL, Connection, Database, Row, insert, uuid7
from esante.core.time_zone import day_of, today
from esante.core.web import N_, NOT_FOUND, Problem
from esante.identity.access.authn.rate_limits import RateLimits
from esante.identity.access.consent import store
from esante.identity.access.consent.grants import Grants, offered_context, require_own_act, stay_of
from esante.identity.access.consent.lifecycle import require_own_record
from esante.identity.access.events import AdmissionsUnusual, StayEnded, StayRead, StayRefused, StayRenewed
from esante.identity.access.model import AccessEvent, Consent, Grant, GrantKind, Requester, Stay, StayStatus, Verdict
from esante.identity.access.reasons import AUTHOR
from esante.identity.access.regulation.policy_set import policy, policy_set
from esante.identity.access.reviews import review_store
from esante.identity.access.rules import decide_admission, withheld
from esante.identity.access.stays import stay_store
from esante.identity.directory import Directory, Organization

INPATIENT, EMERGENCY = "IMP", "EMER"
"""The classes of encounters (v3-ActCode) that are stays."""
_ABSENT = Verdict(False, "stay.absent", "refused")
_OWN = Verdict(True, "stay.own", "institution_stay", context=AUTHOR)
_NOT_A_HOSPITAL = Verdict(False, "stay.kind", "not-treating")


class HospitalStays:
    """The use cases of hospital stays.

    A stay gives the hospital, and whoever works there, a grant from the report of the admission until the ceiling of
    its context (that of inpatients, or that of emergencies), and no longer than some days after the discharge. The
    ceiling counts from the report, whenever the stay itself began. Stays of both classes may go on at the same time.

    Every method that reports or reads raises Problem 403 for a requester who does not act for an organisation of a
    kind that may report stays. A stay of another hospital is answered like one that does not exist. Reports, reads
    and refusals are journalled.
    """

    def __init__(
        self, db: Database, journal: Journal, directory: Directory, grants: Grants, limits: RateLimits
    ) -> None:
        self._db, self._journal, self._directory, self._grants, self._limits = db, journal, directory, grants, limits

    async def admit(
        self,
        requester: Requester,
        person_id: UUID | None,
        began: datetime | None = None,
        encounter: str = INPATIENT,
    ) -> tuple[Stay, bool]:
        """Report the admission of a person (at `began`, by default now); return the stay, and whether it is new.

        `encounter`: the class of the stay. Only the hospital's own software may report one: nobody who works there
        opens a record to the whole hospital alone (but in an emergency: `register_emergency`). A stay of the class in
        progress is returned again. While the person refuses stays there, which they do by revoking the grant of one,
        the stay is kept like any other and gives no access; the hospital is not notified.

        An admission without proof of presence waits in a queue until an operator has reviewed it; the policy says what
        it gives until then. Proof is a presence code that somebody who works there redeemed and whose grant goes on.

        Raises: Problem 403 also for a class without a context of care, 429 after too many admissions for the size of
        the organisation, or 422, which is the same for a person who does not exist (None) and for one without an open
        record.
        """
        hospital = await self._require_hospital(requester, person_id, StayRefused)
        may_open = requester.kind == "organization"
        return await self._admit(requester, hospital, person_id, began, encounter, may_open=may_open)

    async def register_emergency(self, requester: Requester, identifier: str, birth_date: date) -> Stay:
        """Register the emergency admission of a person, by a professional who works at the hospital; return the stay.

        The person is found by an identifier and the birth date. The admission is reviewed like one without proof of
        presence. Raises: as `admit`, and Problem 429 after too many attempts.
        """
        require_own_act(requester)
        hospital = await self._require_hospital(requester, None, StayRefused)
        await self._limits.count_guess(requester, policy_set().at(clock.now()).policy)
        person = await self._directory.find_person(None, identifier)
        found = person.id if person and person.birth_date == birth_date else None
        stay, _ = await self._admit(requester, hospital, found, None, EMERGENCY, may_open=True)
        return stay

    async def _admit(
        self,
        requester: Requester,
        hospital: Organization,
        person_id: UUID | None,
        began: datetime | None,
        encounter: str,
        *,
        may_open: bool,
    ) -> tuple[Stay, bool]:
        """Report an admission at a hospital (see `admit`); without `may_open` a stay in progress is returned only."""
        now = clock.now()
        context = offered_context(GrantKind.STAY, now, encounter)
        if may_open:
            await self._count(requester, hospital, person_id, encounter)
        grant = Grant(
            id=uuid7(),
            person_id=person_id or NIL,
            kind=GrantKind.STAY,
            context=context.key,
            holder_kind="organization",
            holder_id=hospital.id,
            holder=hospital.name,
            since=now,
            until=context.ceiling(now),
        )
        stay = replace(stay_of(grant), began_at=began or now, encounter=encounter)
        async with self._db.transaction() as conn:
            record = await store.fetch_record(conn, _reachable_person(requester, grant.person_id), lock=True)
            verdict = decide_admission(record.state if record else None)
            if verdict.allowed:
                for known in await stay_store.fetch_stays(conn, grant.person_id, hospital.id):
                    if known.status is StayStatus.IN_PROGRESS and known.encounter == encounter:
                        await insert(conn, self._entry_rows(StayRead, requester, known.person_id, _OWN))
                        return known, False
                if may_open:
                    await insert(conn, await self._admission_rows(conn, requester, grant, stay))
                    return stay, True
                verdict = _NOT_A_HOSPITAL
            await insert(conn, self._entry_rows(StayRefused, requester, grant.person_id, verdict))
        if not may_open:
            raise _not_a_hospital()
        raise Problem(
            422,
            "not-found",
            N_("There is no open record for this patient."),
            place="Encounter.subject",
            remedy=N_("Check the patient's identifier. You can only see a record that is open."),
        )

    async def _count(
        self, requester: Requester, hospital: Organization, person_id: UUID | None, encounter: str
    ) -> None:
        """Count an admission that is not reported yet, and raise an alarm where there are unusually many."""
        known = await stay_store.fetch_stays(self._db, person_id, hospital.id) if person_id else []
        if any(stay.status is StayStatus.IN_PROGRESS and stay.encounter == encounter for stay in known):
            return
        requester = replace(requester, id=hospital.id)
        now = clock.now()
        professionals = await self._directory.count_professionals(hospital.id, day_of(now))
        for excess in await self._limits.count_admission(requester, policy(day_of(now)).admissions, professionals):
            event = AdmissionsUnusual(
                organization_id=hospital.id,
                organization=hospital.name,
                admissions=excess.count,
                most=excess.most,
                hours=excess.hours,
            )
            alarm = (uuid7(), hospital.id, hospital.name, now, excess.count, excess.most, excess.hours)
            await self._db.write([(review_store.ALARM, alarm), *self._journal.rows_for(requester, event)])

    async def _admission_rows(self, conn: Connection, requester: Requester, grant: Grant, stay: Stay) -> list[Row]:
        """Return the rows of a new stay, of its grant, and of the review that it needs without proof of presence."""
        consent = await store.fetch_consent(conn, grant.person_id)
        grant = replace(grant, proved=await self._is_proved(consent, grant))
        reason = withheld(consent, grant, policy_set().at(grant.since), grant.since)
        rows = self._grants.grant_rows(grant, requester.actor, requester.origin, stay=stay, withheld_for=reason)
        if not grant.proved:
            hospital = replace(requester, id=grant.holder_id, name=grant.holder)
            rows.append(review_store.review_row(grant, hospital, "stay"))
        return rows

    async def _is_proved(self, consent: Consent, grant: Grant) -> bool:
        """Return whether somebody who works at the organisation has a grant by a presence code of the person."""
        on = day_of(grant.since)
        for known in consent.grants:
            if known.kind is GrantKind.PRESENCE and known.is_active(grant.since):
                roles = await self._directory.roles_of(known.holder_id, on)
                if any(role.organization_id == grant.holder_id for role in roles):
                    return True
        return False

    async def finish(self, requester: Requester, person_id: UUID, stay_id: UUID, ended: datetime) -> Stay:
        """Report the discharge at `ended`; the grant lasts from then for the days of the policy. Return the stay.

        It never lasts longer than the ceiling of its context.

        A stay that is finished does not change. Raises: Problem 403, 404, 409 for a stay that was entered in error,
        422 for an end before the beginning.
        """
        return await self._end(requester, person_id, stay_id, StayStatus.FINISHED, ended)

    async def renew(self, requester: Requester, person_id: UUID, stay_id: UUID) -> Stay:
        """Renew the access of a stay that goes on, by the hospital's software; return the stay.

        It then ends later by the days of its context, counted from its ceiling; it is renewed as often as the context
        allows. Raises: Problem 403, 404, 409 when the stay or its access has ended, or was renewed often enough.
        """
        hospital = await self._require_hospital(requester, person_id, StayRefused)
        if requester.kind != "organization":
            await self._db.write(self._entry_rows(StayRefused, requester, person_id, _NOT_A_HOSPITAL))
            raise _not_a_hospital()
        async with self._db.transaction() as conn:
            await store.fetch_record(conn, person_id, lock=True)
            stay = await self._find_stay(conn, hospital, _reachable_person(requester, person_id), stay_id)
            if stay is not None:
                if stay.status is not StayStatus.IN_PROGRESS:
                    raise _not_renewable()
                await self._renew_locked(conn, requester, stay)
                return stay
            await insert(conn, self._entry_rows(StayRefused, requester, person_id, _ABSENT))
        raise _absent()

    async def agree(self, requester: Requester, stay_id: UUID) -> None:
        """Let the organisation of a stay keep its access for one more renewal, by the person themselves.

        The stay may be over. Raises: Problem 403 for a requester who is not a patient, 404, 409 as `renew`.
        """
        person_id = require_own_record(requester)
        async with self._db.transaction() as conn:
            await store.fetch_record(conn, person_id, lock=True)
            stay = await stay_store.fetch_stay(conn, person_id, stay_id)
            if stay is None:
                raise _absent()
            await self._renew_locked(conn, requester, stay)

    async def _renew_locked(self, conn: Connection, requester: Requester, stay: Stay) -> None:
        """Renew the grant of a stay whose record is locked, and journal it. Raises: Problem 409."""
        now = clock.now()
        grant = await stay_store.fetch_grant(conn, stay.person_id, stay.id)
        context = policy_set().at(now).context_of(grant) if grant else None
        if grant is None or context is None or not grant.is_active(now) or grant.renewals >= context.renewals:
            raise _not_renewable()
        until = context.ceiling(grant.since, grant.renewals + 1)
        if until is None or until <= now:
            raise _not_renewable()
        await stay_store.renew_grant(conn, grant, until)
        event = StayRenewed(grant_id=grant.id, organization_id=grant.holder_id, organization=grant.holder, until=until)
        consent = await store.fetch_consent(conn, stay.person_id)
        if not withheld(consent, grant, policy_set().at(now), now):
            await insert(conn, self._journal.rows_for(requester, event, person_id=stay.person_id))

    async def mark_entered_in_error(self, requester: Requester, person_id: UUID, stay_id: UUID) -> Stay:
        """Withdraw an admission that was reported in error, perhaps of the wrong person: the grant ends now.

        Return the stay. Raises: Problem 403, 404.
        """
        return await self._end(requester, person_id, stay_id, StayStatus.ENTERED_IN_ERROR, clock.now())

    async def may_report(self, requester: Requester) -> bool:
        """Return whether the requester acts for an organisation of a kind that may report stays."""
        return await self._find_hospital(requester) is not None

    async def find(self, requester: Requester, person_id: UUID, stay_id: UUID) -> Stay | None:
        """Return the stay of a person at the organisation for which the requester acts, or None; not journalled."""
        organization_id = requester.organization_id
        if organization_id is None:
            return None
        stays = await stay_store.fetch_stays(self._db, person_id, organization_id)
        return next((stay for stay in stays if stay.id == stay_id), None)

    async def read(self, requester: Requester, person_id: UUID, stay_id: UUID) -> Stay:
        """Return a stay at the requester's hospital. Raises: Problem 403, 404."""
        hospital = await self._require_hospital(requester, person_id, StayRead)
        stay = await self._find_stay(self._db, hospital, _reachable_person(requester, person_id), stay_id)
        verdict = _OWN if stay else _ABSENT
        await self._db.write(self._entry_rows(StayRead, requester, person_id, verdict))
        if stay is None:
            raise _absent()
        return stay

    async def list_stays(self, requester: Requester, person_id: UUID | None) -> list[Stay]:
        """Return a person's stays at the requester's hospital, newest first; for nobody (None) an empty list.

        Raises: Problem 403.
        """
        person_id = person_id or NIL
        hospital = await self._require_hospital(requester, person_id, StayRead)
        await self._db.write(self._entry_rows(StayRead, requester, person_id, _OWN))
        return await stay_store.fetch_stays(self._db, _reachable_person(requester, person_id), hospital.id)

    async def _end(
        self, requester: Requester, person_id: UUID, stay_id: UUID, status: StayStatus, ended: datetime
    ) -> Stay:
        hospital = await self._require_hospital(requester, person_id, StayRefused)
        async with self._db.transaction() as conn:
            await store.fetch_record(conn, person_id, lock=True)
            stay = await self._find_stay(conn, hospital, _reachable_person(requester, person_id), stay_id)
            if stay is not None:
                return await self._end_locked(conn, requester, stay, status, ended)
            await insert(conn, self._entry_rows(StayRefused, requester, person_id, _ABSENT))
        raise _absent()

    async def _end_locked(
        self, conn: Connection, requester: Requester, stay: Stay, status: StayStatus, ended: datetime
    ) -> Stay:
        """End a stay whose record is locked, and write the end of its grant."""
        if stay.status is status:
            await insert(conn, self._entry_rows(StayRead, requester, stay.person_id, _OWN))
            return stay
        if stay.status is StayStatus.ENTERED_IN_ERROR:
            raise Problem(
                409,
                "conflict",
                N_("This stay has been cancelled."),
                place="Encounter.status",
                remedy=N_("Register the admission again."),
            )
        if ended < stay.began_at and status is StayStatus.FINISHED:
            raise Problem(
                422,
                "value",
                N_("The end of the stay is before its start."),
                place="Encounter.period.end",
                remedy=N_("Enter the time of discharge."),
            )
        finished = status is StayStatus.FINISHED
        until = ended + policy(day_of(ended)).stay_after if finished else ended
        until = await self._within_ceiling(conn, stay, until)
        grant = await store.set_grant_end(conn, stay.person_id, stay.id, until)
        await insert(conn, self._grants.end_rows(grant, min(until, grant.revoked_at or until), requester))
        ended_stay = await stay_store.end_stay(conn, stay.person_id, stay.id, status, max(ended, stay.began_at))
        event = StayEnded(
            stay_id=stay.id,
            organization_id=stay.organization_id,
            organization=grant.holder,
            status=status.value,
            began_at=stay.began_at,
            ended_at=max(ended, stay.began_at),
        )
        await insert(conn, self._journal.rows_for(requester, event, person_id=stay.person_id))
        return ended_stay

    async def _within_ceiling(self, conn: Connection, stay: Stay, until: datetime) -> datetime:
        """Return the end of the grant of a stay: not later than the ceiling of its context."""
        grant = await stay_store.fetch_grant(conn, stay.person_id, stay.id)
        context = policy_set().at(until).context_of(grant) if grant else None
        ceiling = context.ceiling(grant.since, grant.renewals) if grant and context else None
        return min(until, ceiling) if ceiling else until

    async def _find_hospital(self, requester: Requester) -> Organization | None:
        """Return the requester's organisation if it is of a kind that may report stays."""
        if requester.organization_id is None:
            return None
        found = await self._directory.organization(requester.organization_id)
        return found if found and found.kind in policy(today()).stay_kinds else None

    async def _require_hospital(
        self, requester: Requester, person_id: UUID | None, event: type[AccessEvent]
    ) -> Organization:
        """Return the hospital for which the requester acts; journal a refusal and raise Problem 403 for none."""
        hospital = await self._find_hospital(requester)
        if hospital is None:
            await self._db.write(self._entry_rows(event, requester, person_id or NIL, _NOT_A_HOSPITAL))
            raise _not_a_hospital()
        return hospital

    async def _find_stay(
        self, db: Database | Connection, hospital: Organization, person_id: UUID, stay_id: UUID
    ) -> Stay | None:
        stays = await stay_store.fetch_stays(db, person_id, hospital.id)
        return next((stay for stay in stays if stay.id == stay_id), None)

    def _entry_rows(
        self, event: type[AccessEvent], requester: Requester, person_id: UUID, verdict: Verdict
    ) -> list[Row]:
        access = event(allowed=verdict.allowed, rule=verdict.rule, reason=verdict.reason, context=verdict.context)
        return self._journal.rows_for(requester, access, person_id=person_id)


def _reachable_person(requester: Requester, person_id: UUID) -> UUID:
    """Return the person, or nobody (the nil UUID) for software that was launched for another patient."""
    return person_id if requester.only_person_id in (None, person_id) else NIL


def _not_a_hospital() -> Problem:
    return Problem(
        403,
        "forbidden",
        N_("Only a hospital can register a stay."),
        remedy=N_("Sign in with the hospital's software."),
    )


def _not_renewable() -> Problem:
    return Problem(
        409,
        "conflict",
        N_("The access of this stay cannot be renewed."),
        remedy=N_("Ask the patient for a presence code."),
    )


def _absent() -> Problem:
    return Problem(404, "not-found", NOT_FOUND)
