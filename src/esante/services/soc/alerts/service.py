"""The use cases of alerts: raise, list, show."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import fields
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Connection, Database, insert, uuid7
from esante.core.web import NOT_FOUND, Page, Problem, decode_uuid_cursor, encode_cursor
from esante.identity.access import Disposition, Requester, StepOutcome
from esante.services.soc.alerts import alert_store
from esante.services.soc.alerts.model import Alert, AlertFilter, AlertRaised, AlertRead, NewAlert
from esante.services.soc.tenants.service import Tenants

PAGE_SIZE = 50
_AT_ONCE = 500
"""Alerts with which one step of a disposition deals."""


class Alerts:
    """The alerts of all members."""

    def __init__(self, db: Database, journal: Journal, tenants: Tenants) -> None:
        self._db, self._journal, self._tenants = db, journal, tenants

    async def raise_in(self, conn: Connection, found: Sequence[NewAlert]) -> list[Alert]:
        """Raise alerts in the transaction of what they were found in; return those that are new.

        A finding whose key its member has an alert of raises none: what is read again after a crash alerts once.
        """
        by_tenant: dict[UUID, dict[str, NewAlert]] = defaultdict(dict)
        for one in found:
            by_tenant[one.tenant_id].setdefault(one.key, one)
        raised = []
        for tenant_id in sorted(by_tenant):
            of_tenant = by_tenant[tenant_id]
            known = await alert_store.lock_keys(conn, tenant_id, [*of_tenant])
            raised += [_raised(one) for key, one in of_tenant.items() if key not in known]
        rows = [alert_store.alert_row(alert) for alert in raised]
        rows += [row for alert in raised for row in self._journal.rows(_event(alert))]
        await insert(conn, rows)
        return raised

    async def alert(self, requester: Requester, alert_id: UUID) -> Alert:
        """Return an alert, and journal that it was read.

        Raises: Problem 404 for an unknown one, and for one that the requester does not see.
        """
        scope = await self._tenants.scope_of(requester)
        found = await alert_store.fetch(self._db, scope, alert_id)
        if found is None:
            raise Problem(404, "not-found", NOT_FOUND)
        await self._journal.append_for(requester, AlertRead(tenant_id=found.tenant_id, alert_id=alert_id))
        return found

    async def unlink_some(self, conn: Connection, disposition: Disposition) -> StepOutcome:
        """Take a person whose record is deleted out of some alerts about their data."""
        unlinked = await alert_store.unlink_person(conn, disposition.person_id, _AT_ONCE)
        return StepOutcome(unlinked, finished=unlinked < _AT_ONCE)

    async def page(self, requester: Requester, wanted: AlertFilter, cursor: str | None = None) -> Page[Alert]:
        """Return a page of the alerts that somebody sees, the newest first. Raises: Problem 404, 400."""
        scope = await self._tenants.scope_of(requester)
        found = await alert_store.fetch_page(self._db, scope, wanted, decode_uuid_cursor(cursor), PAGE_SIZE + 1)
        shown = found[:PAGE_SIZE]
        return Page(shown, encode_cursor(shown[-1].alert_id) if len(found) > PAGE_SIZE else None)


def _raised(new: NewAlert) -> Alert:
    given = {one.name: getattr(new, one.name) for one in fields(new)}
    return Alert(**given, alert_id=uuid7(), raised_at=clock.now())


def _event(alert: Alert) -> AlertRaised:
    return AlertRaised(
        tenant_id=alert.tenant_id,
        alert_id=alert.alert_id,
        origin=alert.origin,
        rule=alert.rule,
        level=alert.level,
    )
