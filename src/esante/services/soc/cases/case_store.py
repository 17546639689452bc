"""SQL of cases: their rows, tasks, timelines."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.soc.alerts.model import Level
from esante.services.soc.cases.model import ACTIVE, Case, CaseFilter, State, Task, TaskState, TimelineEntry, Tlp
from esante.services.soc.tenants.model import Scope

CASE = Table(
    "soc_case",
    Kind.LOCAL,
    {
        "tenant_id": "uuid",
        "case_id": "uuid",
        "reference": "text",
        "title": "text",
        "state": "text",
        "severity": "smallint",
        "tlp": "text",
        "playbook": "text",
        "owner_id": "uuid",
        "owner": "text",
        "opened_at": "timestamptz",
        "opened_by": "text",
        "changed_at": "timestamptz",
        "outcome": "text",
        "summary": "text",
        "proposed_by_id": "uuid",
        "proposed_by": "text",
        "proposed_at": "timestamptz",
        "closed_by": "text",
        "closed_at": "timestamptz",
        "merged_into": "uuid",
        "is_exercise": "boolean",
    },
)
TASK = Table(
    "soc_case_task",
    Kind.LOCAL,
    {
        "case_id": "uuid",
        "step": "text",
        "position": "smallint",
        "who": "text",
        "due_at": "timestamptz",
        "state": "text",
        "reason": "text",
        "done_by": "text",
        "done_at": "timestamptz",
    },
    once=True,
)
ENTRY = Table(
    "soc_case_entry",
    Kind.LOCAL,
    {
        "case_id": "uuid",
        "entry_id": "uuid",
        "at": "timestamptz",
        "actor": "text",
        "kind": "text",
        "params": "jsonb",
        "text": "text",
        "tlp": "text",
        "is_internal": "boolean",
    },
)
_CASE = f"SELECT {', '.join(CASE.columns)} FROM soc_case"  # noqa: S608 - names are declared in code
_SETS = ", ".join(f"{name} = ${place}" for place, name in enumerate([*CASE.columns][3:], 2))
_IN_SCOPE = "($1::uuid IS NULL OR tenant_id = $1)"


def case_row(case: Case) -> Row:
    """Return the row of a new case."""
    return CASE, _values(case)


def task_row(task: Task) -> Row:
    """Return the row of a task; one that the case has already stays as it is."""
    return TASK, tuple(getattr(task, name) for name in TASK.columns)


def entry_row(entry: TimelineEntry) -> Row:
    """Return the row of an entry of the timeline."""
    values = {name: getattr(entry, name) for name in ENTRY.columns}
    return ENTRY, tuple((values | {"params": orjson.dumps(dict(entry.params), default=str).decode()}).values())


async def fetch(db: Database | Connection, scope: Scope, case_id: UUID, *, lock: bool = False) -> Case | None:
    """Return a case, or None when there is none in a scope; `lock`: others wait for this transaction."""
    sql = f"{_CASE} WHERE {_IN_SCOPE} AND case_id = $2{' FOR UPDATE' if lock else ''}"
    row = await db.fetchrow(sql, scope.tenant_id, case_id)
    return _case(row) if row else None


async def fetch_page(
    db: Database, scope: Scope, wanted: CaseFilter, owner_id: UUID, before: UUID | None, limit: int
) -> list[Case]:
    """Return cases of a scope, the newest first; `before`: the last key of the page before."""
    rows = await db.fetch(
        f"{_CASE} WHERE {_IN_SCOPE} AND state = ANY($2) AND ($3::uuid IS NULL OR case_id < $3)"
        " AND ($4 = '' OR position(lower($4) IN lower(title || ' ' || reference)) > 0)"
        " AND (NOT $5 OR owner_id = $6) ORDER BY case_id DESC LIMIT $7",
        scope.tenant_id,
        [*wanted.states],
        before,
        wanted.text,
        wanted.own,
        owner_id,
        limit,
    )
    return [_case(row) for row in rows]


async def fetch_active(db: Database | Connection, tenant_id: UUID, limit: int) -> list[Case]:
    """Return the cases of a member that are neither closed nor merged, the newest first."""
    rows = await db.fetch(
        f"{_CASE} WHERE tenant_id = $1 AND state IN ('open', 'working') ORDER BY case_id DESC LIMIT $2",
        tenant_id,
        limit,
    )
    return [_case(row) for row in rows]


async def fetch_merged(db: Database | Connection, scope: Scope, case_id: UUID) -> list[Case]:
    """Return the cases that were merged into one."""
    rows = await db.fetch(f"{_CASE} WHERE {_IN_SCOPE} AND merged_into = $2 ORDER BY case_id", scope.tenant_id, case_id)
    return [_case(row) for row in rows]


async def count_active(db: Database, scope: Scope) -> int:
    """Return how many cases of a scope are neither closed nor merged."""
    sql = f"SELECT count(*) AS found FROM soc_case WHERE {_IN_SCOPE} AND state = ANY($2)"  # noqa: S608 - made of constants
    found = await db.fetchrow(sql, scope.tenant_id, [*ACTIVE])
    return int(found["found"]) if found else 0


async def update(conn: Connection, case: Case) -> None:
    """Keep what has changed of a case."""
    sql = f"UPDATE soc_case SET {_SETS} WHERE case_id = $1"  # noqa: S608 - made of constants
    await conn.execute(sql, case.case_id, *_values(case)[3:])


async def fetch_tasks(db: Database | Connection, case_id: UUID) -> list[Task]:
    """Return the tasks of a case in the order of its playbook."""
    rows = await db.fetch(
        "SELECT case_id, step, position, who, due_at, state, reason, done_by, done_at FROM soc_case_task"
        " WHERE case_id = $1 ORDER BY position, step",
        case_id,
    )
    return [Task(**dict(row) | {"state": TaskState(row["state"])}) for row in rows]


async def fetch_task(conn: Connection, case_id: UUID, step: str) -> Task | None:
    """Return a task, or None; others wait for this transaction."""
    row = await conn.fetchrow(
        "SELECT case_id, step, position, who, due_at, state, reason, done_by, done_at FROM soc_case_task"
        " WHERE case_id = $1 AND step = $2 FOR UPDATE",
        case_id,
        step,
    )
    return Task(**dict(row) | {"state": TaskState(row["state"])}) if row else None


async def update_task(conn: Connection, task: Task) -> None:
    """Keep the state of a task."""
    await conn.execute(
        "UPDATE soc_case_task SET state = $3, reason = $4, done_by = $5, done_at = $6"
        " WHERE case_id = $1 AND step = $2",
        task.case_id,
        task.step,
        task.state,
        task.reason,
        task.done_by,
        task.done_at,
    )


async def count_open_tasks(db: Database | Connection, case_id: UUID) -> int:
    """Return how many tasks of a case are open."""
    row = await db.fetchrow(
        "SELECT count(*) AS found FROM soc_case_task WHERE case_id = $1 AND state = 'open'", case_id
    )
    return int(row["found"]) if row else 0


async def fetch_open_member_tasks(db: Database, tenant_id: UUID) -> list[Task]:
    """Return the open tasks that a member has itself, by their time."""
    rows = await db.fetch(
        "SELECT t.case_id, t.step, t.position, t.who, t.due_at, t.state, t.reason, t.done_by, t.done_at"
        " FROM soc_case_task t JOIN soc_case c USING (case_id) WHERE c.tenant_id = $1"
        " AND c.state IN ('open', 'working', 'closing') AND t.state = 'open' AND t.who = 'member'"
        " ORDER BY t.due_at, t.case_id, t.position",
        tenant_id,
    )
    return [Task(**dict(row) | {"state": TaskState(row["state"])}) for row in rows]


async def fetch_timeline(
    db: Database, case_id: UUID, *, internal: bool, before: UUID | None, limit: int
) -> list[TimelineEntry]:
    """Return the timeline of a case, the newest entry first; `internal`: with what is for operators only."""
    rows = await db.fetch(
        "SELECT case_id, entry_id, at, actor, kind, params, text, tlp, is_internal FROM soc_case_entry"
        " WHERE case_id = $1 AND ($2 OR NOT is_internal) AND ($3::uuid IS NULL OR entry_id < $3)"
        " ORDER BY entry_id DESC LIMIT $4",
        case_id,
        internal,
        before,
        limit,
    )
    return [
        TimelineEntry(**dict(row) | {"params": orjson.loads(row["params"]), "tlp": Tlp(row["tlp"])}) for row in rows
    ]


async def fetch_notes(db: Database | Connection, case_id: UUID) -> list[TimelineEntry]:
    """Return the notes of a case that are not for operators only, the oldest first."""
    rows = await db.fetch(
        "SELECT case_id, entry_id, at, actor, kind, params, text, tlp, is_internal FROM soc_case_entry"
        " WHERE case_id = $1 AND kind = 'note' AND NOT is_internal ORDER BY entry_id",
        case_id,
    )
    return [
        TimelineEntry(**dict(row) | {"params": orjson.loads(row["params"]), "tlp": Tlp(row["tlp"])}) for row in rows
    ]


def _values(case: Case) -> tuple[Any, ...]:
    given = {name: getattr(case, name) for name in CASE.columns}
    return tuple((given | {"severity": int(case.severity)}).values())


def _case(row: Any) -> Case:
    kinds = {"state": State(row["state"]), "severity": Level(row["severity"]), "tlp": Tlp(row["tlp"])}
    return Case(**dict(row) | kinds)


async def fetch_titles(db: Database | Connection, cases: Sequence[UUID]) -> dict[UUID, Case]:
    """Return cases by their keys."""
    rows = await db.fetch(f"{_CASE} WHERE case_id = ANY($1)", [*cases])
    return {row["case_id"]: _case(row) for row in rows}


async def fetch_for_clocks(db: Database, scope: Scope, limit: int) -> list[tuple[Case, str, datetime]]:
    """Return the active cases of a scope whose facts were stated, the newest first, with the facts and when."""
    rows = await db.fetch(
        f"SELECT f.facts, f.stated_at, {', '.join(CASE.columns)} FROM soc_case"  # noqa: S608 - made of constants
        " JOIN LATERAL (SELECT facts, stated_at FROM soc_facts WHERE soc_facts.case_id = soc_case.case_id"
        " ORDER BY version DESC LIMIT 1) f ON true"
        f" WHERE {_IN_SCOPE} AND state = ANY($2) ORDER BY case_id DESC LIMIT $3",
        scope.tenant_id,
        [*ACTIVE],
        limit,
    )
    return [(_case({name: row[name] for name in CASE.columns}), row["facts"], row["stated_at"]) for row in rows]
