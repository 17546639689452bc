"""The use cases of the queue: list, group, open cases."""

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
    encode_cursor,
    no_such_page,
)
from esante.identity.access import Requester, require_operator
from esante.services.soc.alerts.model import Level, Origin
from esante.services.soc.cases import case_store
from esante.services.soc.cases.events import AlertsJoined, CaseOpened
from esante.services.soc.cases.model import Case, QueuedAlert, QueueFilter, QueuePart, State, Tlp
from esante.services.soc.cases.playbooks import packaged_playbooks
from esante.services.soc.cases.states import require_active
from esante.services.soc.cases.timeline import act_rows, require_case
from esante.services.soc.evidence.service import CaseEvidence
from esante.services.soc.tenants.model import Scope
from esante.services.soc.tenants.service import Tenants
from esante.services.soc.triage import triage_store
from esante.services.soc.triage.groups import case_rules_on, group

PAGE_SIZES = (50, 300)
"""Alerts on a page of the queue."""
GROUPED = 300
"""Alerts at the head of the queue that are grouped."""
MOST_COUNTED = 10_000
MOST_ALERTS = 300
"""Alerts that one act gives to a case at most."""
LONGEST_TITLE = 200
EXERCISE_RULE = "exercise."
"""What the rule of an alert of an exercise begins with; the playbook follows."""


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

    async def counts(self, requester: Requester) -> dict[QueuePart, int]:
        """Return how many alerts each part of the queue has (10,000 at most). Raises: Problem 404."""
        scope = await self._tenants.scope_of(requester)
        return {part: await triage_store.count_part(self._db, scope, part, MOST_COUNTED) for part in QueuePart}

    async def count_waiting(self) -> int:
        """Return how many alerts of all members wait, exercises aside, 100 at most."""
        return await triage_store.count_part(self._db, Scope(None), QueuePart.WAITING, 100, exercises=False)

    async def groups(self, requester: Requester) -> list[list[QueuedAlert]]:
        """Return the groups of several alerts at the head of the queue. Raises: Problem 403."""
        require_operator(requester)
        head = await triage_store.fetch_queue(self._db, Scope(None), QueueFilter(), None, GROUPED)
        return [one for one in _groups(head) if len(one) > 1]

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
        span = timedelta(minutes=max(one.minutes for one in case_rules_on(today()).join))
        near = await triage_store.fetch_near(self._db, alert, alert.first_at - span, alert.last_at + span)
        return next((one for one in _groups(near) if alert in one), [alert])

    async def active_cases(self, requester: Requester, alert: QueuedAlert) -> list[Case]:
        """Return the cases to which an alert can be added, the newest first. Raises: Problem 403."""
        require_operator(requester)
        found = await case_store.fetch_active(self._db, alert.tenant_id, 50)
        return [one for one in found if one.is_exercise == alert.is_exercise]

    async def open_case(
        self, requester: Requester, alerts: Sequence[UUID], title: str = "", playbook: str | None = None
    ) -> Case:
        """Open a case with alerts of one member; return it.

        `title` "": that of the highest alert. `playbook` None: the one that is proposed, "": none.
        Raises: Problem 403, 404 for an unknown alert, 400 for none, too many, alerts of several members, or of an
        exercise with real ones, 409 when another case has one of them already, or it was dismissed.
        """
        require_operator(requester)
        async with self._db.transaction() as conn:
            rows = await self._alerts(conn, alerts)
            now, playbooks = clock.now(), packaged_playbooks()
            highest = max(rows, key=lambda one: one["level"])
            chosen = _proposed(rows) if playbook is None else playbook
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
                is_exercise=highest["origin"] == Origin.EXERCISE,
            )
            event = CaseOpened(
                tenant_id=case.tenant_id,
                case_id=case.case_id,
                reference=case.reference,
                alerts=tuple(row["alert_id"] for row in rows),
                severity=int(case.severity),
                playbook=chosen,
                is_exercise=case.is_exercise,
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
            if (rows[0]["origin"] == Origin.EXERCISE) != case.is_exercise:
                raise _mixed_exercise()
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

    async def _alerts(self, conn: Connection, alerts: Sequence[UUID]) -> list[dict[str, Any]]:
        """Return the rows of the alerts for a case. Raises: Problem 400, 404."""
        if not 1 <= len({*alerts}) <= MOST_ALERTS:
            raise bad_request("alerts", N_("Choose between 1 and 300 alerts."), code="value")
        rows = await triage_store.fetch_rows(conn, alerts)
        if len(rows) != len({*alerts}):
            raise Problem(404, "not-found", NOT_FOUND)
        if len({row["tenant_id"] for row in rows}) > 1:
            raise _several_members()
        if len({row["origin"] == Origin.EXERCISE for row in rows}) > 1:
            raise _mixed_exercise()
        return rows

    async def _give(self, conn: Connection, case: Case, alerts: Sequence[UUID]) -> None:
        """Give alerts to a case. Raises: Problem 409 when one of them has a case already."""
        if await triage_store.assign(conn, case.tenant_id, case.case_id, alerts) != len({*alerts}):
            remedy = N_("Open the queue again.")
            title = N_("One of these alerts has a case already, or was dismissed.")
            raise Problem(409, "conflict", title, remedy=remedy)


def _groups(alerts: Sequence[QueuedAlert]) -> list[list[QueuedAlert]]:
    """Return alerts in groups that belong together; what is an exercise belongs to nothing real."""
    joins = case_rules_on(today()).join
    parts = [[one for one in alerts if one.is_exercise == exercise] for exercise in (False, True)]
    return [found for part in parts for found in group(part, joins)]


def _proposed(rows: Sequence[dict[str, Any]]) -> str:
    """Return the key of the playbook for alerts: of an exercise, the one that it practises."""
    playbooks = packaged_playbooks()
    practised = {row["rule"].removeprefix(EXERCISE_RULE) for row in rows if row["origin"] == Origin.EXERCISE}
    if practised:
        return next(iter(practised & {*playbooks.by_key}), "")
    techniques = [one for row in rows for one in row["techniques"].split()]
    return playbooks.proposed(techniques, {row["origin"] for row in rows})


def _several_members() -> Problem:
    return bad_request("alerts", N_("A case has alerts of one member only."), code="value")


def _mixed_exercise() -> Problem:
    return bad_request("alerts", N_("An exercise has no real alerts, and a real case no exercise."), code="value")


def _moment(text: str) -> datetime:
    """Return the moment of a cursor. Raises: Problem 400."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise no_such_page() from error
    if moment.tzinfo is None:
        raise no_such_page()
    return moment
