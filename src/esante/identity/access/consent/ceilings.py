"""The ceilings of contexts of care: grants that would last longer end there, and their persons are told."""

from datetime import datetime
from uuid import UUID

from esante.core import clock
from esante.core.journal import SYSTEM, Journal
from esante.core.storage import NIL, Database, insert
from esante.identity.access.consent import ceiling_store, store
from esante.identity.access.consent.grants import ended
from esante.identity.access.model import Grant
from esante.identity.access.regulation.contexts import ends_at
from esante.identity.access.regulation.policy_set import RulesInForce, policy_set

BATCH = 500
"""How many grants are looked at in one query."""
CEILING = "ceiling"
"""The cause of the end of a grant that the ceiling of its context cut."""


class Ceilings:
    """Writes the ceiling as the end of grants that have none or a later one; the decision cuts them in any case.

    New grants are given with their ceiling: this is for grants of before, and for ceilings that become lower.
    """

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal

    async def apply(self) -> int:
        """Cut every active grant at its ceiling, and journal each; return how many. Several processes may run it."""
        now = clock.now()
        rules = policy_set().at(now)
        cut, after = 0, (NIL, NIL)
        while grants := await ceiling_store.fetch_active_after(self._db, _limited_kinds(rules), after, BATCH):
            for grant in grants:
                cut += await self._cut(grant, rules, now)
            after = grants[-1].person_id, grants[-1].id
        return cut

    async def count_ended(self, holder_id: UUID, since: datetime) -> int:
        """Return how many grants of a holder ended at a ceiling since a moment."""
        return await ceiling_store.count_cut(self._db, holder_id, since, clock.now())

    async def _cut(self, grant: Grant, rules: RulesInForce, now: datetime) -> bool:
        """Write the ceiling of a grant as its end where it is earlier; return whether this process did."""
        context = rules.context_of(grant)
        end = ends_at(grant, context) if context else None
        if end is None or (grant.until is not None and grant.until <= end):
            return False
        async with self._db.transaction() as conn:
            await store.fetch_record(conn, grant.person_id, lock=True)
            if not await ceiling_store.cut_grant(conn, grant, end, now):
                return False
            await insert(conn, self._journal.rows(ended(grant, end, CEILING), person_id=grant.person_id, actor=SYSTEM))
        return True


def _limited_kinds(rules: RulesInForce) -> list[str]:
    """Return the kinds of grants of which a context has a ceiling."""
    return sorted({one.grant.value for one in rules.contexts.values() if one.hours or one.days})
