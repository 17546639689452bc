"""Emergencies: a practitioner opens a record with a reason, the person is told, operators review it.

Source: Regulation (EU) 2025/327, article 11(5), and article 9 on what the person learns.
"""

from datetime import UTC, date, datetime
from uuid import UUID

from esante.core.journal import Journal
from esante.core.storage import NIL, Database, Row, insert, uuid7
from esante.core.web import N_, NOT_FOUND, Page, Problem, decode_cursor, encode_cursor
from esante.identity.access.authn.rate_limits import Limits
from esante.identity.access.consent import store
from esante.identity.access.consent.store import Review
from esante.identity.access.events import EmergencyDeclared, EmergencyReviewed
from esante.identity.access.matrix import policy
from esante.identity.access.model import Consent, Grant, GrantKind, Purpose, RecordState, Requester
from esante.identity.directory import Directory, Person

VERDICTS = {"justified": N_("Justified"), "unclear": N_("To be clarified"), "unjustified": N_("Not justified")}
MAX_NOTE = 2_000


class Emergencies:
    """Declares emergencies and keeps the operators' queue."""

    def __init__(self, db: Database, journal: Journal, directory: Directory, limits: Limits) -> None:
        self._db, self._journal, self._directory, self._limits = db, journal, directory, limits

    async def declare(self, requester: Requester, identifier: str, birth_date: date, reason: str) -> Grant:
        """Open a person's record for reading, for the hours that the policy gives.

        The person is known by an identifier and her birth date. Problem 400 for a reason that is too short
        or too long, 404 when there is no such person or her record may not be opened, 429 after too many
        attempts. Every attempt is journalled.
        """
        if requester.kind != "practitioner":
            raise Problem(
                403,
                "forbidden",
                N_("An emergency is declared by a health professional."),
                remedy=N_("Sign in as one."),
            )
        now = datetime.now(UTC)
        terms = policy(now.date())
        reason = checked_text(reason, terms.min_reason, terms.max_reason, "reason")
        await self._limits.guess(requester, terms)
        person = await self._directory.find_person(None, identifier)
        if person is not None and person.birth_date != birth_date:
            person = None
        async with self._db.transaction() as conn:
            consent = await store.consent(conn, person.id) if person else None
            refusal = _refusal(consent, requester)
            if person and not refusal:
                grant = _grant(person, requester, now, reason, now + terms.emergency)
                told = EmergencyDeclared(
                    purpose=Purpose.EMERGENCY.value,
                    rule="emergency.declared",
                    reason="emergency",
                    grant_id=grant.id,
                    grant_kind=grant.kind.value,
                    justification=reason,
                    until=grant.until,
                )
                await insert(conn, [store.grant_row(grant), _review_row(grant, requester)])
            else:
                told = EmergencyDeclared(
                    purpose=Purpose.EMERGENCY.value,
                    allowed=False,
                    rule=f"emergency.{refusal}",
                    reason="refused",
                    justification=reason,
                )
            rows = self._journal.rows(
                told, person_id=person.id if person else NIL, actor=requester.actor, origin=requester.origin
            )
            await insert(conn, rows)
        if refusal:
            raise Problem(
                404,
                "not-found",
                N_("No record can be opened with this."),
                place="identifier",
                remedy=N_("Check the identifier and the birth date."),
            )
        return grant

    async def queue(
        self, requester: Requester, *, done: bool = False, cursor: str | None = None, limit: int = 20
    ) -> Page[tuple[Review, Person | None]]:
        """Emergencies that wait for review, or are done, newest first, each with the person."""
        _operator(requester)
        before = None if cursor is None else decode_cursor(cursor, UUID)[0]
        found = await store.reviews(self._db, done=done, before=before, limit=limit + 1)
        persons = await self._directory.persons({review.person_id for review in found})
        items = [(review, persons.get(review.person_id)) for review in found[:limit]]
        return Page(items, encode_cursor(str(items[-1][0].grant_id)) if len(found) > limit else None)

    async def one(self, requester: Requester, grant_id: UUID) -> tuple[Review, Person | None] | None:
        """One emergency with its person, or None."""
        _operator(requester)
        found = await store.review(self._db, grant_id)
        return (found, await self._directory.person(found.person_id)) if found else None

    async def review(self, requester: Requester, grant_id: UUID, verdict: str, note: str) -> None:
        """An operator judges an emergency; Problem 404 for an unknown one, 409 for one that is done."""
        _operator(requester)
        if verdict not in VERDICTS:
            raise Problem(400, "value", N_("Choose a verdict."), place="verdict")
        note = checked_text(note, 0, MAX_NOTE, "note")
        async with self._db.transaction() as conn:
            review = await store.review(conn, grant_id, lock=True)
            if review is None:
                raise Problem(404, "not-found", NOT_FOUND)
            if review.reviewed_at is not None:
                raise Problem(409, "conflict", N_("This emergency is reviewed already."))
            await store.finish_review(conn, grant_id, datetime.now(UTC), requester.name, verdict, note)
            told = EmergencyReviewed(grant_id=grant_id, verdict=verdict)
            rows = self._journal.rows(told, person_id=review.person_id, actor=requester.actor, origin=requester.origin)
            await insert(conn, rows)


def checked_text(text: str, least: int, most: int, place: str) -> str:
    """A text someone wrote, without control characters; Problem 400 when it is too short or too long."""
    clean = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    if len(clean) < least:
        raise Problem(
            400,
            "required",
            N_("This text is too short."),
            place=place,
            detail=f"{least}-{most}",
            remedy=N_("Please say it in a few more words."),
        )
    if len(clean) > most:
        raise Problem(
            400,
            "too-long",
            N_("This text is too long."),
            place=place,
            detail=f"{least}-{most}",
            remedy=N_("Please say it in fewer words."),
        )
    return clean


def _grant(person: Person, requester: Requester, now: datetime, reason: str, until: datetime) -> Grant:
    return Grant(
        id=uuid7(),
        person_id=person.id,
        kind=GrantKind.EMERGENCY,
        holder_kind=requester.kind,
        holder_id=requester.id,
        holder=requester.name,
        since=now,
        until=until,
        reason=reason,
    )


def _review_row(grant: Grant, requester: Requester) -> Row:
    values = (
        grant.id,
        grant.person_id,
        requester.id,
        requester.name,
        requester.organization,
        grant.reason,
        grant.since,
    )
    return store.REVIEW, values


def _refusal(consent: Consent | None, requester: Requester) -> str:
    """Why an emergency is refused; "" when it is not."""
    if consent is None:
        return "unknown"
    if consent.state is not RecordState.OPEN or consent.deceased_at is not None:
        return "closed"
    if not consent.sharing:
        return "opted-out"
    if requester.id in consent.blocked or requester.organization_id in consent.blocked:
        return "blocked"
    return ""


def _operator(requester: Requester) -> None:
    if requester.kind != "operator":
        raise Problem(403, "forbidden", N_("Only operators review emergencies."))
