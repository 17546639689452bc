"""The use cases of dismissals: say of alerts, without a case, that they need nothing; take it back."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Connection, Database, insert
from esante.core.web import N_, NOT_FOUND, Problem, bad_request, clean_text
from esante.identity.access import Requester, require_operator
from esante.services.soc.cases.events import AlertsDismissed, DismissalEnded
from esante.services.soc.cases.model import Outcome
from esante.services.soc.triage import dismissal_store

MOST_AT_ONCE = 300
"""Alerts that one act dismisses."""
SHORTEST_REASON, LONGEST_REASON = 10, 1_000
"""Characters."""
DISMISSED_AS = (Outcome.FALSE_ALARM, Outcome.EXPECTED)
"""With which outcomes an alert is dismissed; an incident needs a case."""


class Dismissals:
    """Alerts that need no case."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal

    async def dismiss(self, requester: Requester, alerts: Sequence[UUID], outcome: str, reason: str) -> None:
        """Dismiss alerts with an outcome and a reason.

        Raises: Problem 403, 404 for an unknown alert, 400 for none, too many, a wrong outcome or a short reason, 409
        for an alert that has a case or was dismissed.
        """
        require_operator(requester)
        clean = clean_text(reason, SHORTEST_REASON, LONGEST_REASON, "reason")
        wanted = {*alerts}
        if not 1 <= len(wanted) <= MOST_AT_ONCE:
            raise bad_request("alerts", N_("Choose between 1 and 300 alerts."), code="value")
        async with self._db.transaction() as conn:
            if await self.dismiss_in(conn, requester, [*wanted], outcome, clean) != len(wanted):
                if await dismissal_store.count_known(conn, [*wanted]) != len(wanted):
                    raise Problem(404, "not-found", NOT_FOUND)
                title = N_("One of these alerts has a case already, or was dismissed.")
                raise Problem(409, "conflict", title, remedy=N_("Open the queue again."))

    async def dismiss_in(
        self,
        conn: Connection,
        requester: Requester,
        alerts: Sequence[UUID],
        outcome: str,
        reason: str,
        suppression_id: UUID | None = None,
    ) -> int:
        """Dismiss those of some alerts that are open, in a transaction; return how many. Raises: Problem 400."""
        if outcome not in DISMISSED_AS:
            raise bad_request("outcome", N_("Choose the outcome."), code="value")
        found = await dismissal_store.dismiss(conn, alerts, clock.now(), requester.name, outcome, reason)
        by_tenant: dict[UUID, list[UUID]] = defaultdict(list)
        for tenant_id, alert_id in found:
            by_tenant[tenant_id].append(alert_id)
        events = [
            AlertsDismissed(
                tenant_id=tenant_id, alerts=tuple(sorted(keys)), outcome=outcome, suppression_id=suppression_id
            )
            for tenant_id, keys in by_tenant.items()
        ]
        await insert(conn, [row for event in events for row in self._journal.rows_for(requester, event)])
        return len(found)

    async def restore(self, requester: Requester, alert_id: UUID) -> None:
        """Let a dismissed alert wait again. Raises: Problem 403, 404, 409 for one that is not dismissed."""
        require_operator(requester)
        async with self._db.transaction() as conn:
            tenant_id = await dismissal_store.restore(conn, alert_id)
            if tenant_id is None:
                if not await dismissal_store.count_known(conn, [alert_id]):
                    raise Problem(404, "not-found", NOT_FOUND)
                raise Problem(409, "conflict", N_("This alert is not dismissed."))
            event = DismissalEnded(tenant_id=tenant_id, alert_id=alert_id)
            await insert(conn, self._journal.rows_for(requester, event))
