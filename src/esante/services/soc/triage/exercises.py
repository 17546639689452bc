"""The use case of exercises: raise an alert about something that has not happened, to practise a playbook."""

from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database, insert, uuid7
from esante.core.web import N_, Page, Problem, bad_request, clean_text
from esante.identity.access import Requester, require_operator
from esante.services.soc.alerts.model import Alert, AlertFilter, Level, NewAlert, Origin
from esante.services.soc.alerts.service import Alerts
from esante.services.soc.cases.events import ExerciseStarted
from esante.services.soc.cases.playbooks import packaged_playbooks
from esante.services.soc.tenants.model import Tenant
from esante.services.soc.tenants.service import Tenants
from esante.services.soc.triage.service import EXERCISE_RULE, LONGEST_TITLE


class Exercises:
    """Alerts that are exercises: shown as such, counted in no figure; no clock starts, and nothing is contained."""

    def __init__(self, db: Database, journal: Journal, tenants: Tenants, alerts: Alerts) -> None:
        self._db, self._journal, self._tenants, self._alerts = db, journal, tenants, alerts

    async def members(self, requester: Requester) -> list[Tenant]:
        """Return the members that can practise, by name. Raises: Problem 403."""
        require_operator(requester)
        found, cursor = [], None
        while True:
            page = await self._tenants.page(requester, cursor=cursor)
            found += [one for one in page.items if one.is_active]
            if page.next is None:
                return found
            cursor = page.next

    async def page(self, requester: Requester, text: str = "", cursor: str | None = None) -> Page[Alert]:
        """Return a page of the alerts of exercises, the newest first. Raises: Problem 403, 400."""
        require_operator(requester)
        return await self._alerts.page(requester, AlertFilter(text=text, origin=Origin.EXERCISE), cursor)

    async def begin(
        self, requester: Requester, tenant_id: UUID, *, title: str, subject: str, level: int, playbook: str
    ) -> Alert:
        """Raise an alert of an exercise at a member; a case that is opened with it has the steps of a playbook.

        Raises: Problem 403, 404 for an unknown member, 400 for a wrong text, level or playbook, 409 for a member that
        is not active.
        """
        require_operator(requester)
        tenant = await self._tenants.tenant(requester, tenant_id)
        if not tenant.is_active:
            raise Problem(409, "conflict", N_("This member is not active."))
        if playbook not in packaged_playbooks().by_key:
            raise bad_request("playbook", N_("Choose a playbook of the list."), code="value")
        if level not in [*Level]:
            raise bad_request("level", N_("Choose a value of the list."), code="value")
        now = clock.now()
        found = NewAlert(
            tenant_id=tenant_id,
            key=f"exercise:{uuid7()}",
            first_at=now,
            last_at=now,
            origin=Origin.EXERCISE,
            rule=f"{EXERCISE_RULE}{playbook}",
            title=clean_text(title, 3, LONGEST_TITLE, "title"),
            level=Level(level),
            subject=clean_text(subject, 0, LONGEST_TITLE, "subject"),
        )
        async with self._db.transaction() as conn:
            (alert,) = await self._alerts.raise_in(conn, [found])
            event = ExerciseStarted(tenant_id=tenant_id, alert_id=alert.alert_id, playbook=playbook)
            await insert(conn, self._journal.rows_for(requester, event))
        return alert
