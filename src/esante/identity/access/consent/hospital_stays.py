"""Hospital stays: what a hospital tells of admission and discharge, and the access that a stay gives."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from esante.core.journal import Journal
from esante.core.storage import NIL, Connection, Database, Row, insert, uuid7
from esante.core.web import N_, NOT_FOUND, Problem
from esante.identity.access.consent import stay_store, store
from esante.identity.access.consent.grants import Grants, stay_of
from esante.identity.access.events import StayRead, StayRefused
from esante.identity.access.matrix import policy
from esante.identity.access.model import AccessEvent, Grant, GrantKind, Requester, Stay, StayStatus, Verdict
from esante.identity.access.rules import may_admit
from esante.identity.directory import Directory, Organization

_ABSENT = Verdict(False, "stay.absent", "refused")
_OWN = Verdict(True, "stay.own", "institution_stay")
_NOT_SOFTWARE = Verdict(False, "stay.kind", "not-treating")


class Stays:
    """A stay gives the hospital, and whoever works there, access from the admission until days after the discharge.

    Every method raises Problem 403 for who does not act for an organisation of a kind that may tell of stays. A
    stay of another hospital is as one that is not there. Acts, looks and refusals are journalled.
    """

    def __init__(self, db: Database, journal: Journal, directory: Directory, grants: Grants) -> None:
        self._db, self._journal, self._directory, self._grants = db, journal, directory, grants

    async def admit(
        self, requester: Requester, person_id: UUID | None, began: datetime | None = None
    ) -> tuple[Stay, bool]:
        """A person was admitted (at `began`, by default now); gives the stay, and whether it is new.

        Only the hospital's own software may: nobody who works there opens a record to all of it by himself. A stay
        that goes on is answered again, also when the person revoked its access: that holds for the whole stay.
        Problem 422, alike for a person who is not there (None) and for one without an open record.
        """
        hospital = await self._hospital(requester, person_id, StayRefused)
        now = datetime.now(UTC)
        grant = Grant(
            id=uuid7(),
            person_id=person_id or NIL,
            kind=GrantKind.STAY,
            holder_kind="organization",
            holder_id=hospital.id,
            holder=hospital.name,
            since=now,
        )
        stay = replace(stay_of(grant), began_at=began or now)
        async with self._db.transaction() as conn:
            record = await store.record(conn, _reached(requester, grant.person_id), lock=True)
            verdict = may_admit(record.state if record else None)
            if verdict.allowed:
                for known in await stay_store.of_person(conn, grant.person_id, hospital.id):
                    if known.status is StayStatus.IN_PROGRESS:
                        await insert(conn, self._rows(StayRead, requester, known.person_id, _OWN))
                        return known, False
                if requester.kind == "organization":
                    await insert(conn, self._grants.give(grant, requester.actor, requester.origin, stay=stay))
                    return stay, True
            if requester.kind != "organization":
                verdict = _NOT_SOFTWARE
            await insert(conn, self._rows(StayRefused, requester, grant.person_id, verdict))
        if verdict is _NOT_SOFTWARE:
            raise _not_admitting()
        raise Problem(
            422,
            "not-found",
            N_("There is no such patient with an open record."),
            place="Encounter.subject",
            remedy=N_("Check the patient's identifier. Without an open record there is nothing to see."),
        )

    async def finish(self, requester: Requester, person_id: UUID, stay_id: UUID, ended: datetime) -> Stay:
        """The person left at `ended`; the access goes on from then for the days that the policy gives.

        Of a stay that is over nothing changes. Problem 404, 409 (taken back), 422 (ended before it began).
        """
        return await self._end(requester, person_id, stay_id, StayStatus.FINISHED, ended)

    async def take_back(self, requester: Requester, person_id: UUID, stay_id: UUID) -> Stay:
        """The admission was told by mistake, perhaps of the wrong person: the access ends now. Problem 404."""
        return await self._end(requester, person_id, stay_id, StayStatus.MISTAKEN, datetime.now(UTC))

    async def concern(self, requester: Requester) -> bool:
        """Whether the requester acts for an organisation of a kind that may tell of stays."""
        found = None
        if requester.organization_id is not None:
            found = await self._directory.organization(requester.organization_id)
        return found is not None and found.kind in policy(datetime.now(UTC).date()).stay_kinds

    async def has(self, requester: Requester, person_id: UUID, stay_id: UUID) -> bool:
        """Whether a person has a stay with the organisation that the requester acts for."""
        organization_id = requester.organization_id
        if organization_id is None:
            return False
        stays = await stay_store.of_person(self._db, person_id, organization_id)
        return any(stay.id == stay_id for stay in stays)

    async def one(self, requester: Requester, person_id: UUID, stay_id: UUID) -> Stay:
        """A stay with the requester's hospital. Problem 404."""
        hospital = await self._hospital(requester, person_id, StayRead)
        stay = await self._own(self._db, hospital, _reached(requester, person_id), stay_id)
        verdict = _OWN if stay else _ABSENT
        await self._db.write(self._rows(StayRead, requester, person_id, verdict))
        if stay is None:
            raise _absent()
        return stay

    async def of_person(self, requester: Requester, person_id: UUID | None) -> list[Stay]:
        """A person's stays with the requester's hospital, newest first; of nobody (None) there are none."""
        person_id = person_id or NIL
        hospital = await self._hospital(requester, person_id, StayRead)
        await self._db.write(self._rows(StayRead, requester, person_id, _OWN))
        return await stay_store.of_person(self._db, _reached(requester, person_id), hospital.id)

    async def _end(
        self, requester: Requester, person_id: UUID, stay_id: UUID, status: StayStatus, ended: datetime
    ) -> Stay:
        hospital = await self._hospital(requester, person_id, StayRefused)
        async with self._db.transaction() as conn:
            await store.record(conn, person_id, lock=True)
            stay = await self._own(conn, hospital, _reached(requester, person_id), stay_id)
            if stay is None:
                await insert(conn, self._rows(StayRefused, requester, person_id, _ABSENT))
            else:
                return await self._ended(conn, requester, stay, status, ended)
        raise _absent()

    async def _ended(
        self, conn: Connection, requester: Requester, stay: Stay, status: StayStatus, ended: datetime
    ) -> Stay:
        """Ends a stay, which is locked, and gives its grant the end that follows."""
        if stay.status is status:
            await insert(conn, self._rows(StayRead, requester, stay.person_id, _OWN))
            return stay
        if stay.status is StayStatus.MISTAKEN:
            raise Problem(
                409,
                "conflict",
                N_("This stay was taken back."),
                place="Encounter.status",
                remedy=N_("Tell of the admission again."),
            )
        if ended < stay.began_at and status is StayStatus.FINISHED:
            raise Problem(
                422,
                "value",
                N_("The stay ends before it began."),
                place="Encounter.period.end",
                remedy=N_("Send the time of the discharge."),
            )
        finished = status is StayStatus.FINISHED
        until = ended + policy(ended.date()).stay_after if finished else ended
        grant = await store.end_at(conn, stay.person_id, stay.id, until)
        told = min(until, grant.revoked_at or until)
        await insert(conn, self._grants.ended(grant, told, requester.actor, requester.origin))
        return await stay_store.end(conn, stay.person_id, stay.id, status, max(ended, stay.began_at))

    async def _hospital(self, requester: Requester, person_id: UUID | None, event: type[AccessEvent]) -> Organization:
        """The organisation that the requester acts for, which must be of a kind that may tell of stays."""
        found = None
        if requester.organization_id is not None:
            found = await self._directory.organization(requester.organization_id)
        if found is None or found.kind not in policy(datetime.now(UTC).date()).stay_kinds:
            await self._db.write(self._rows(event, requester, person_id or NIL, _NOT_SOFTWARE))
            raise _not_admitting()
        return found

    async def _own(
        self, db: Database | Connection, hospital: Organization, person_id: UUID, stay_id: UUID
    ) -> Stay | None:
        stays = await stay_store.of_person(db, person_id, hospital.id)
        return next((stay for stay in stays if stay.id == stay_id), None)

    def _rows(self, event: type[AccessEvent], requester: Requester, person_id: UUID, verdict: Verdict) -> list[Row]:
        told = event(allowed=verdict.allowed, rule=verdict.rule, reason=verdict.reason)
        return self._journal.rows(told, person_id=person_id, actor=requester.actor, origin=requester.origin)


def _reached(requester: Requester, person_id: UUID) -> UUID:
    """The person, or nobody where software asks that was launched for another patient."""
    return person_id if requester.only_person_id in (None, person_id) else NIL


def _not_admitting() -> Problem:
    return Problem(
        403, "forbidden", N_("Only a hospital may tell of a stay."), remedy=N_("Sign in as the hospital's software.")
    )


def _absent() -> Problem:
    return Problem(404, "not-found", NOT_FOUND)
