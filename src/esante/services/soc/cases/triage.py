"""The use cases of the queue: list, group, suppress, open cases."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Connection, Database, Row, insert, uuid7
from esante.core.time_zone import today
from esante.core.web import (
    N_,
    NOT_FOUND,
    Page,
    Problem,
    bad_request,
    clean_text,
    decode_cursor,
    decode_uuid_cursor,
    encode_cursor,
    no_such_page,
)
from esante.identity.access import Requester, require_operator
from esante.services.soc.alerts.model import Level
from esante.services.soc.cases import case_store, triage_store
from esante.services.soc.cases.events import AlertsJoined, AlertsSuppressed, CaseOpened, SuppressionEnded
from esante.services.soc.cases.groups import case_rules_on, group
from esante.services.soc.cases.model import Case, QueuedAlert, QueueFilter, State, Suppression, Tlp
from esante.services.soc.cases.playbooks import packaged_playbooks
from esante.services.soc.cases.states import require_active
from esante.services.soc.cases.timeline import act_rows, require_case
from esante.services.soc.evidence.service import CaseEvidence
from esante.services.soc.tenants.model import Scope
from esante.services.soc.tenants.service import Tenants

PAGE_SIZES = (50, 300)
"""Alerts on a page of the queue."""
GROUPED = 300
"""Alerts at the head of the queue that are grouped."""
MOST_COUNTED = 10_000
MOST_ALERTS = 300
"""Alerts that one act gives to a case at most."""
SHORTEST_REASON, LONGEST_REASON, LONGEST_TITLE = 10, 1_000, 200


class Triage:
    """The queue of alerts without a case."""

    def __init__(self, db: Database, journal: Journal, tenants: Tenants, evidence: CaseEvidence) -> None:
        self._db, self._journal, self._tenants, self._evidence = db, journal, tenants, evidence

    async def queue(
        self, requester: Requester, wanted: QueueFilter, cursor: str | None = None, size: int = PAGE_SIZES[0]
    ) -> Page[QueuedAlert]:
        """Return a page of the queue: the highest level first, of one level the oldest. Raises: Problem 404, 400."""
        scope = await self._tenants.scope_of(requester)
        after = None
        if cursor is not None:
            level, moment, alert_id = decode_cursor(cursor, int, str, UUID)
            after = level, _moment(moment), alert_id
        size = size if size in PAGE_SIZES else PAGE_SIZES[0]
        found = await triage_store.fetch_queue(self._db, scope, wanted, after, size + 1)
        shown = found[:size]
        if len(found) <= size:
            return Page(shown)
        last = shown[-1]
        return Page(shown, encode_cursor(int(last.level), last.raised_at.isoformat(), last.alert_id))

    async def counts(self, requester: Requester) -> tuple[int, int]:
        """Return how many alerts wait, and how many are suppressed (each 10,000 at most). Raises: Problem 404."""
        scope = await self._tenants.scope_of(requester)
        counted = [
            await triage_store.count_waiting(self._db, scope, suppressed=suppressed, most=MOST_COUNTED)
            for suppressed in (False, True)
        ]
        return counted[0], counted[1]

    async def count_waiting(self) -> int:
        """Return how many alerts of all members wait, 100 at most."""
        return await triage_store.count_waiting(self._db, Scope(None), suppressed=False, most=100)

    async def groups(self, requester: Requester) -> list[list[QueuedAlert]]:
        """Return the groups of several alerts at the head of the queue. Raises: Problem 403."""
        require_operator(requester)
        head = await triage_store.fetch_queue(self._db, Scope(None), QueueFilter(), None, GROUPED)
        return [one for one in group(head, case_rules_on(today()).join) if len(one) > 1]

    async def alert(self, requester: Requester, alert_id: UUID) -> tuple[QueuedAlert, Case | None]:
        """Return an alert as the queue lists it, and its case. Raises: Problem 404."""
        scope = await self._tenants.scope_of(requester)
        found = await triage_store.fetch_queued(self._db, scope, alert_id)
        if found is None:
            raise Problem(404, "not-found", NOT_FOUND)
        alert, case_id = found
        return alert, await case_store.fetch(self._db, scope, case_id) if case_id else None

    async def related(self, requester: Requester, alert: QueuedAlert) -> list[QueuedAlert]:
        """Return the alerts without a case that belong together with one, itself included. Raises: Problem 403."""
        require_operator(requester)
        joins = case_rules_on(today()).join
        span = timedelta(minutes=max(one.minutes for one in joins))
        near = await triage_store.fetch_near(self._db, alert, alert.first_at - span, alert.last_at + span)
        return next((one for one in group(near, joins) if alert in one), [alert])

    async def active_cases(self, requester: Requester, tenant_id: UUID) -> list[Case]:
        """Return the cases of a member to which alerts can be added, the newest first. Raises: Problem 403."""
        require_operator(requester)
        return await case_store.fetch_active(self._db, tenant_id, 50)

    async def open_case(
        self, requester: Requester, alerts: Sequence[UUID], title: str = "", playbook: str | None = None
    ) -> Case:
        """Open a case with alerts of one member; return it.

        `title` "": that of the highest alert. `playbook` None: the one that is proposed, "": none.
        Raises: Problem 403, 404 for an unknown alert, 400 for none, too many, or alerts of several members, 409 when
        another case has one of them already.
        """
        require_operator(requester)
        async with self._db.transaction() as conn:
            rows = await self._alerts(conn, alerts)
            now, playbooks = clock.now(), packaged_playbooks()
            highest = max(rows, key=lambda one: one["level"])
            techniques = [one for row in rows for one in row["techniques"].split()]
            chosen = playbooks.proposed(techniques, {row["origin"] for row in rows}) if playbook is None else playbook
            if chosen and chosen not in playbooks.by_key:
                raise bad_request("playbook", N_("Choose a playbook of the list."), code="value")
            case = Case(
                tenant_id=highest["tenant_id"],
                case_id=uuid7(),
                reference=f"{today().year}-{secrets.token_hex(4).upper()}",
                title=clean_text(title or highest["title"][:LONGEST_TITLE], 1, LONGEST_TITLE, "title"),
                state=State.OPEN,
                severity=Level(highest["level"]),
                tlp=Tlp.AMBER,
                playbook=chosen,
                opened_at=now,
                opened_by=requester.name,
                changed_at=now,
            )
            event = CaseOpened(
                tenant_id=case.tenant_id,
                case_id=case.case_id,
                reference=case.reference,
                alerts=tuple(row["alert_id"] for row in rows),
                severity=int(case.severity),
                playbook=chosen,
            )
            tasks = playbooks.tasks(chosen, case.case_id, now) if chosen else []
            written: list[Row] = [case_store.case_row(case), *(case_store.task_row(one) for one in tasks)]
            written += act_rows(self._journal, requester, case, event, "opened", {"count": len(rows)})
            await insert(conn, written)
            await self._give(conn, case, alerts)
            await self._evidence.add_alerts(conn, requester, case, rows)
        return case

    async def join(self, requester: Requester, case_id: UUID, alerts: Sequence[UUID]) -> Case:
        """Add alerts of its member to a case; return it.

        Raises: as `open_case`; Problem 404 for an unknown case, 409 for a closed one.
        """
        require_operator(requester)
        async with self._db.transaction() as conn:
            case = await require_case(conn, Scope(None), case_id, lock=True)
            require_active(case)
            rows = await self._alerts(conn, alerts)
            if rows[0]["tenant_id"] != case.tenant_id:
                raise _several_members()
            case = replace(
                case, severity=Level(max(case.severity, *(row["level"] for row in rows))), changed_at=clock.now()
            )
            await case_store.update(conn, case)
            keys = tuple(row["alert_id"] for row in rows)
            event = AlertsJoined(tenant_id=case.tenant_id, case_id=case_id, alerts=keys)
            await insert(conn, act_rows(self._journal, requester, case, event, "joined", {"count": len(rows)}))
            await self._give(conn, case, alerts)
            await self._evidence.add_alerts(conn, requester, case, rows)
        return case

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
        await self._db.write([triage_store.suppression_row(suppression), *rows])
        return suppression

    async def end_suppression(self, requester: Requester, suppression_id: UUID) -> None:
        """End a suppression: its alerts wait again. Raises: Problem 403, 404, 409 for one that was ended."""
        require_operator(requester)
        async with self._db.transaction() as conn:
            found = await triage_store.fetch_suppression(conn, suppression_id)
            if found is None:
                raise Problem(404, "not-found", NOT_FOUND)
            if found.ended_at is not None:
                raise Problem(409, "conflict", N_("This suppression was ended already."))
            await triage_store.end_suppression(conn, suppression_id, clock.now(), requester.name)
            await insert(conn, self._journal.rows_for(requester, SuppressionEnded(suppression_id=suppression_id)))

    async def suppressions(
        self, requester: Requester, text: str = "", cursor: str | None = None
    ) -> Page[tuple[Suppression, int]]:
        """Return a page of the suppressions with the numbers of alerts they hold back. Raises: Problem 403."""
        require_operator(requester)
        size = PAGE_SIZES[0]
        found = await triage_store.fetch_suppressions(self._db, text, decode_uuid_cursor(cursor), size + 1)
        more = len(found) > size
        return Page(found[:size], encode_cursor(found[size - 1][0].suppression_id) if more else None)

    async def _alerts(self, conn: Connection, alerts: Sequence[UUID]) -> list[dict[str, Any]]:
        """Return the rows of the alerts for a case. Raises: Problem 400, 404."""
        if not 1 <= len({*alerts}) <= MOST_ALERTS:
            raise bad_request("alerts", N_("Choose between 1 and 300 alerts."), code="value")
        rows = await triage_store.fetch_rows(conn, alerts)
        if len(rows) != len({*alerts}):
            raise Problem(404, "not-found", NOT_FOUND)
        if len({row["tenant_id"] for row in rows}) > 1:
            raise _several_members()
        return rows

    async def _give(self, conn: Connection, case: Case, alerts: Sequence[UUID]) -> None:
        """Give alerts to a case. Raises: Problem 409 when one of them has a case already."""
        if await triage_store.assign(conn, case.tenant_id, case.case_id, alerts) != len({*alerts}):
            remedy = N_("Open the queue again.")
            raise Problem(409, "conflict", N_("One of these alerts has a case already."), remedy=remedy)


def _several_members() -> Problem:
    return bad_request("alerts", N_("A case has alerts of one member only."), code="value")


def _moment(text: str) -> datetime:
    """Return the moment of a cursor. Raises: Problem 400."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise no_such_page() from error
    if moment.tzinfo is None:
        raise no_such_page()
    return moment
