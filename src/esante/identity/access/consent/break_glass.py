"""Break-glass: a practitioner opens a record in an emergency with a reason; operators review every such access.

Operators also review admissions without proof of presence, in the same way.

Source: Regulation (EU) 2025/327, article 11(5), and article 9 on the information of the person.
"""

from datetime import date, datetime
from uuid import UUID

from esante.core import clock
from esante.core.journal import Event, Journal
from esante.core.storage import NIL, Connection, Database, insert, uuid7
from esante.core.time_zone import day_of
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
from esante.identity.access.authn.rate_limits import RateLimits
from esante.identity.access.authn.requesters import require_operator
from esante.identity.access.consent import store
from esante.identity.access.consent.grants import Grants, offered_context, require_own_act
from esante.identity.access.events import (
    EmergencyDeclared,
    EmergencyReviewed,
    ReviewRead,
    ReviewsListed,
    StayReviewed,
    VerdictRead,
)
from esante.identity.access.model import Consent, Grant, GrantKind, Purpose, RecordState, Requester
from esante.identity.access.regulation.contexts import Context
from esante.identity.access.regulation.policy_set import policy
from esante.identity.access.reviews import review_store
from esante.identity.access.reviews.review_store import Alarm, Review
from esante.identity.directory import Directory, Person

VERDICTS = {"justified": N_("Justified"), "unclear": N_("Unclear"), "unjustified": N_("Not justified")}
JUSTIFIED, UNJUSTIFIED = "justified", "unjustified"
MAX_NOTE = 2_000
"""The longest note of a review, in characters."""


class Emergencies:
    """Declares emergencies, and keeps the operators' queue of reviews."""

    def __init__(
        self, db: Database, journal: Journal, directory: Directory, grants: Grants, limits: RateLimits
    ) -> None:
        self._db, self._journal, self._directory, self._grants, self._limits = db, journal, directory, grants, limits

    async def declare(self, requester: Requester, identifier: str, birth_date: date, reason: str) -> Grant:
        """Open a person's record for reading, until the ceiling of the context; return the grant.

        The person is found by an identifier and the birth date. Every attempt is journalled.
        Raises: Problem 400 for a reason that is too short or too long, 403 for a requester who is not a practitioner,
        404 when there is no such person or the record may not be opened, 429 after too many attempts.
        """
        if requester.kind != "practitioner":
            raise Problem(
                403,
                "forbidden",
                N_("Only a health professional can use emergency access."),
                remedy=N_("Sign in as a health professional."),
            )
        require_own_act(requester)
        now = clock.now()
        context, terms = offered_context(GrantKind.EMERGENCY, now), policy(day_of(now))
        reason = clean_text(reason, terms.min_reason, terms.max_reason, "reason")
        await self._limits.count_guess(requester, terms)
        person = await self._directory.find_person(None, identifier, birth_date)
        async with self._db.transaction() as conn:
            consent = await store.fetch_consent(conn, person.id) if person else None
            refusal = _refusal(consent, requester)
            if person and not refusal:
                grant = _new_grant(person, requester, now, reason, context)
                event = _declared(grant)
                await insert(conn, [store.grant_row(grant), review_store.review_row(grant, requester, "emergency")])
            else:
                event = EmergencyDeclared(
                    purpose=Purpose.EMERGENCY.value,
                    allowed=False,
                    rule=f"emergency.{refusal}",
                    reason="refused",
                    justification=reason,
                )
            await self._journal.append_for(requester, event, person_id=person.id if person else NIL, conn=conn)
        if refusal:
            raise Problem(
                404,
                "not-found",
                N_("This code cannot open a record."),
                place="identifier",
                remedy=N_("Check the identifier and date of birth."),
            )
        return grant

    async def list_reviews(
        self,
        requester: Requester,
        kind: str = "emergency",
        *,
        done: bool = False,
        cursor: str | None = None,
        limit: int = 20,
    ) -> Page[tuple[Review, Person | None]]:
        """Return a page of reviews that are pending, or done, newest first, each with the person of the record.

        Journalled, where it shows any.

        `kind`: emergency, or stay (of admissions without proof of presence).

        Raises: Problem 403 for a requester who is not an operator, 400 for a cursor that is not valid.
        """
        require_operator(requester)
        before = decode_uuid_cursor(cursor)
        found = await review_store.fetch_reviews(self._db, kind, done=done, before=before, limit=limit + 1)
        persons = await self._directory.persons({review.person_id for review in found})
        items = [(review, persons.get(review.person_id)) for review in found[:limit]]
        if items:
            event = ReviewsListed(kind=kind, grants=tuple(review.grant_id for review, _ in items))
            await self._journal.append_for(requester, event)
        return Page(items, encode_cursor(items[-1][0].grant_id) if len(found) > limit else None)

    async def find_review(self, requester: Requester, grant_id: UUID) -> tuple[Review, Person | None] | None:
        """Return the review of a grant with the person of the record, or None; journalled.

        Raises: Problem 403 for a requester who is not an operator.
        """
        require_operator(requester)
        found = await review_store.fetch_review(self._db, grant_id)
        if found is None:
            return None
        await self._journal.append_for(requester, ReviewRead(grant_id=grant_id), person_id=found.person_id)
        return found, await self._directory.person(found.person_id)

    async def count_others(self, review: Review, since: datetime) -> tuple[int, int]:
        """Return how many other accesses of a review's kind and holder there were, and how many were not justified."""
        return await review_store.count_others(self._db, review, since)

    async def review(self, requester: Requester, grant_id: UUID, verdict: str, note: str) -> None:
        """Complete the review of an access with a verdict (a key of `VERDICTS`) and a note.

        An access that was not justified ends in the same transaction; of a stay that was not, later ones are refused
        until the person's presence is proved. One that was justified proves the presence.

        Raises: Problem 400 for another verdict or a note that is too long, 403 for a requester who is not an operator,
        404 for an unknown emergency, 409 for one that is reviewed already.
        """
        require_operator(requester)
        if verdict not in VERDICTS:
            raise bad_request("verdict", N_("Choose a conclusion."), code="value")
        note = clean_text(note, 0, MAX_NOTE, "note")
        async with self._db.transaction() as conn:
            review = await review_store.fetch_review(conn, grant_id, lock=True)
            if review is None:
                raise Problem(404, "not-found", NOT_FOUND)
            if review.reviewed_at is not None:
                raise Problem(409, "conflict", N_("This access is reviewed already."))
            await review_store.complete_review(conn, grant_id, clock.now(), requester.name, verdict, note)
            await self._journal.append_for(
                requester, _reviewed(review, verdict), person_id=review.person_id, conn=conn
            )
            await self._apply(conn, requester, review, verdict)

    async def _apply(self, conn: Connection, requester: Requester, review: Review, verdict: str) -> None:
        """Do what a verdict means for the access under review."""
        if review.kind == "emergency":
            if verdict == UNJUSTIFIED:
                await self._grants.end_now(conn, review.person_id, review.grant_id, requester)
        elif verdict == UNJUSTIFIED:
            await self._grants.refuse_after_review(conn, review.person_id, review.grant_id, requester)
        elif verdict == JUSTIFIED:
            await self._grants.prove_stay(conn, review.person_id, review.grant_id, requester)

    async def list_alarms(self, requester: Requester, limit: int = 20) -> list[Alarm]:
        """Return the alarms about unusually many admissions that no operator has seen, newest first.

        Raises: Problem 403 for a requester who is not an operator.
        """
        require_operator(requester)
        return await review_store.fetch_alarms(self._db, limit)

    async def mark_alarm_seen(self, requester: Requester, alarm_id: UUID) -> None:
        """Record that an operator saw an alarm. Raises: Problem 403 for a requester who is not an operator."""
        require_operator(requester)
        await review_store.mark_alarm_seen(self._db, alarm_id, clock.now(), requester.name)

    async def list_verdicts(self, requester: Requester, limit: int = 20) -> list[Review]:
        """Return the verdicts on a professional's own emergency accesses that they have not read, newest first."""
        return await review_store.fetch_unread_verdicts(self._db, requester.id, limit)

    async def acknowledge(self, requester: Requester, grant_id: UUID) -> None:
        """Record that a professional read the verdict on their emergency access; repeating it changes nothing.

        Raises: Problem 404 when there is no such verdict of theirs.
        """
        require_own_act(requester)
        async with self._db.transaction() as conn:
            review = await review_store.fetch_review(conn, grant_id, lock=True)
            if review is None or review.reviewed_at is None or review.practitioner_id != requester.id:
                raise Problem(404, "not-found", NOT_FOUND)
            if await review_store.mark_acknowledged(conn, grant_id, clock.now()):
                event = VerdictRead(grant_id=grant_id, verdict=review.verdict)
                await self._journal.append_for(requester, event, conn=conn)


def _new_grant(person: Person, requester: Requester, now: datetime, reason: str, context: Context) -> Grant:
    return Grant(
        id=uuid7(),
        person_id=person.id,
        kind=GrantKind.EMERGENCY,
        context=context.key,
        holder_kind=requester.kind,
        holder_id=requester.id,
        holder=requester.name,
        since=now,
        until=context.ceiling(now),
        reason=reason,
    )


def _declared(grant: Grant) -> EmergencyDeclared:
    return EmergencyDeclared(
        purpose=Purpose.EMERGENCY.value,
        rule="emergency.declared",
        reason="emergency",
        grant_id=grant.id,
        grant_kind=grant.kind.value,
        context=grant.context,
        justification=grant.reason,
        until=grant.until,
    )


def _reviewed(review: Review, verdict: str) -> Event:
    if review.kind == "emergency":
        return EmergencyReviewed(
            grant_id=review.grant_id,
            verdict=verdict,
            practitioner_id=review.practitioner_id,
            practitioner=review.practitioner,
        )
    return StayReviewed(
        grant_id=review.grant_id,
        organization_id=review.practitioner_id,
        organization=review.practitioner,
        verdict=verdict,
    )


def _refusal(consent: Consent | None, requester: Requester) -> str:
    """Return the reason for which an emergency is refused; "" when it is not."""
    if consent is None:
        return "unknown"
    if consent.state is not RecordState.OPEN or consent.deceased_at is not None:
        return "closed"
    if not consent.sharing:
        return "opted-out"
    if requester.id in consent.blocked or requester.organization_id in consent.blocked:
        return "blocked"
    return ""
