"""The use cases of suppressions: decide, end, list, dismiss what they cover."""

from datetime import timedelta
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database, insert, uuid7
from esante.core.time_zone import today
from esante.core.web import N_, NOT_FOUND, Page, Problem, bad_request, clean_text, decode_uuid_cursor, encode_cursor
from esante.identity.access import Requester, require_operator
from esante.services.soc.cases.events import AlertsSuppressed, SuppressionEnded
from esante.services.soc.cases.model import Suppression
from esante.services.soc.tenants.service import Tenants
from esante.services.soc.triage import suppression_store
from esante.services.soc.triage.dismissals import LONGEST_REASON, MOST_AT_ONCE, SHORTEST_REASON, Dismissals
from esante.services.soc.triage.groups import case_rules_on

PAGE_SIZE = 50


class Suppressions:
    """Alerts that wait no more, by decision of an operator, for a time."""

    def __init__(self, db: Database, journal: Journal, tenants: Tenants, dismissals: Dismissals) -> None:
        self._db, self._journal, self._tenants, self._dismissals = db, journal, tenants, dismissals

    async def suppress(
        self,
        requester: Requester,
        *,
        rule: str,
        subject: str,
        tenant_id: UUID | None,
        days: int,
        reason: str,
    ) -> Suppression:
        """Suppress the alerts of a rule, about a subject, or both, for some days; return the suppression.

        Raises: Problem 403, 404 for an unknown member, 400 for neither rule nor subject, wrong days or a short reason.
        """
        require_operator(requester)
        if tenant_id is not None:
            await self._tenants.tenant(requester, tenant_id)
        if not rule and not subject:
            raise bad_request("rule", N_("Choose the rule, the subject, or both."), code="required")
        most = case_rules_on(today()).longest_suppression_days
        if not 1 <= days <= most:
            raise bad_request("days", N_("This time is not possible."), detail=f"1–{most}", code="value")
        now = clock.now()
        suppression = Suppression(
            suppression_id=uuid7(),
            tenant_id=tenant_id,
            rule=rule[:LONGEST_REASON],
            subject=subject[:LONGEST_REASON],
            reason=clean_text(reason, SHORTEST_REASON, LONGEST_REASON, "reason"),
            owner_id=requester.id,
            owner=requester.name,
            created_at=now,
            until=now + timedelta(days=days),
        )
        event = AlertsSuppressed(
            suppression_id=suppression.suppression_id,
            tenant_id=tenant_id,
            rule=suppression.rule,
            until=suppression.until,
        )
        rows = self._journal.rows_for(requester, event)
        await self._db.write([suppression_store.suppression_row(suppression), *rows])
        return suppression

    async def end(self, requester: Requester, suppression_id: UUID) -> None:
        """End a suppression: its alerts wait again. Raises: Problem 403, 404, 409 for one that was ended."""
        require_operator(requester)
        async with self._db.transaction() as conn:
            found = await suppression_store.fetch_suppression(conn, suppression_id)
            if found is None:
                raise Problem(404, "not-found", NOT_FOUND)
            if found.ended_at is not None:
                raise _ended()
            await suppression_store.end_suppression(conn, suppression_id, clock.now(), requester.name)
            await insert(conn, self._journal.rows_for(requester, SuppressionEnded(suppression_id=suppression_id)))

    async def page(
        self, requester: Requester, text: str = "", cursor: str | None = None
    ) -> Page[tuple[Suppression, int]]:
        """Return a page of the suppressions with the numbers of alerts they hold back. Raises: Problem 403."""
        require_operator(requester)
        found = await suppression_store.fetch_suppressions(self._db, text, decode_uuid_cursor(cursor), PAGE_SIZE + 1)
        more = len(found) > PAGE_SIZE
        return Page(found[:PAGE_SIZE], encode_cursor(found[PAGE_SIZE - 1][0].suppression_id) if more else None)

    async def dismiss_covered(self, requester: Requester, suppression_id: UUID, outcome: str) -> int:
        """Dismiss the alerts that a suppression holds back, for its reason; return how many there were.

        What is broken off goes on when it is asked for again. Raises: Problem 403, 404, 400 for a wrong outcome, 409
        for a suppression that was ended.
        """
        require_operator(requester)
        count, more = 0, True
        while more:
            async with self._db.transaction() as conn:
                found = await suppression_store.fetch_suppression(conn, suppression_id)
                if found is None:
                    raise Problem(404, "not-found", NOT_FOUND)
                if found.ended_at is not None:
                    raise _ended()
                covered = await suppression_store.fetch_covered(conn, suppression_id, MOST_AT_ONCE)
                done = await self._dismissals.dismiss_in(
                    conn, requester, covered, outcome, found.reason, suppression_id
                )
            count, more = count + done, len(covered) == MOST_AT_ONCE
        return count


def _ended() -> Problem:
    return Problem(409, "conflict", N_("This suppression was ended already."))
