"""The SQL of applications, their messages and proposals."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.research.applications.model import (
    Application,
    ApplicationState,
    Content,
    Decision,
    Listed,
    Message,
    Proposal,
)
from esante.services.research.permits.model import PermitKind
from esante.services.research.permits.permit_store import columns_json, columns_of

APPLICATION = Table(
    "research_application",
    Kind.LOCAL,
    {
        "application_id": "uuid",
        "account_id": "uuid",
        "kind": "text",
        "state": "text",
        "title": "text",
        "summary": "text",
        "purpose": "text",
        "aim": "text",
        "necessity": "text",
        "safeguards": "text",
        "question": "text",
        "columns": "jsonb",
        "members": "text",
        "months": "integer",
        "lawful": "boolean",
        "saved_at": "timestamptz",
        "submitted_at": "timestamptz",
        "due_on": "date",
        "asked_at": "timestamptz",
        "decided_at": "timestamptz",
        "reason": "text",
    },
)
MESSAGE = Table(
    "research_message",
    Kind.LOCAL,
    {
        "message_id": "uuid",
        "application_id": "uuid",
        "at": "timestamptz",
        "from_authority": "boolean",
        "author_id": "uuid",
        "author": "text",
        "text": "text",
    },
)
PROPOSAL = Table(
    "research_proposal",
    Kind.LOCAL,
    {
        "proposal_id": "uuid",
        "application_id": "uuid",
        "operator_id": "uuid",
        "operator": "text",
        "at": "timestamptz",
        "grants": "boolean",
        "columns": "jsonb",
        "months": "integer",
        "conditions": "text",
        "reason": "text",
        "checker_id": "uuid",
        "checker": "text",
        "checked_at": "timestamptz",
        "confirmed": "boolean",
        "remark": "text",
    },
)
_CONTENT = ("title", "summary", "purpose", "aim", "necessity", "safeguards", "question", "months", "lawful")
"""The columns of the content that are stored as they are."""
_LISTED = """
    SELECT a.*, c.name AS applicant, c.organization
    FROM research_application AS a JOIN research_account AS c USING (account_id)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationSearch:
    """Which applications are searched: in some states (empty: all but drafts), with every word somewhere.

    `account_id`: those of an account, drafts too.
    """

    words: Sequence[str] = ()
    states: Sequence[str] = ()
    account_id: UUID | None = None


async def save(conn: Connection, application: Application) -> None:
    """Insert an application, or write all that can change of it."""
    values = _values(application)
    names = list(APPLICATION.columns)
    changed = ", ".join(f"{name} = excluded.{name}" for name in names[2:])
    marks = ", ".join(f"${place}" for place in range(1, len(names) + 1))
    await conn.execute(
        f"INSERT INTO research_application ({', '.join(names)}) VALUES ({marks})"  # noqa: S608 - declared in code
        f" ON CONFLICT (application_id) DO UPDATE SET {changed}",
        *values,
    )


async def delete_draft(conn: Connection, application_id: UUID) -> None:
    """Delete a draft."""
    await conn.execute(
        "DELETE FROM research_application WHERE application_id = $1 AND state = 'draft'", application_id
    )


async def search(db: Database, wanted: ApplicationSearch, before: UUID | None, limit: int) -> list[Listed]:
    """Return the newest applications, before one."""
    rows = await db.fetch(
        f"""
        {_LISTED} WHERE ($1::uuid IS NULL OR a.application_id < $1)
          AND (CASE WHEN cardinality($2::text[]) > 0 THEN a.state = ANY($2) ELSE $3::uuid IS NOT NULL
              OR a.state <> 'draft' END)
          AND ($3::uuid IS NULL OR a.account_id = $3)
          AND NOT EXISTS (SELECT FROM unnest($4::text[]) AS w (word)
              WHERE position(w.word IN lower(concat_ws(' ', a.title, c.name, c.organization))) = 0)
        ORDER BY a.application_id DESC LIMIT $5
        """,
        before,
        list(wanted.states),
        wanted.account_id,
        list(wanted.words),
        limit,
    )
    return [_listed(row) for row in rows]


async def find_listed(db: Database | Connection, application_id: UUID) -> Listed | None:
    """Return an application with the names of its applicant, or None."""
    row = await db.fetchrow(f"{_LISTED} WHERE a.application_id = $1", application_id)
    return _listed(row) if row else None


async def lock_listed(conn: Connection, application_id: UUID) -> Listed | None:
    """Return an application with the names of its applicant, locked until the end of the transaction, or None."""
    row = await conn.fetchrow(f"{_LISTED} WHERE a.application_id = $1 FOR UPDATE OF a", application_id)
    return _listed(row) if row else None


async def count_in(db: Database, states: Sequence[str], most: int) -> int:
    """Return how many applications are in some states; at most `most`."""
    found: int = await db.fetchval(
        "SELECT count(*) FROM (SELECT FROM research_application WHERE state = ANY($1) LIMIT $2) AS waiting",
        list(states),
        most,
    )
    return found


async def count_drafts(conn: Connection, account_id: UUID) -> int:
    """Return how many drafts an account has."""
    found: int = await conn.fetchval(
        "SELECT count(*) FROM research_application WHERE account_id = $1 AND state = 'draft'", account_id
    )
    return found


def message_row(message: Message) -> Row:
    """Return the row of a message."""
    return MESSAGE, astuple(message)


async def fetch_messages(db: Database | Connection, application_id: UUID) -> list[Message]:
    """Return the messages of an application, the oldest first."""
    rows = await db.fetch(
        "SELECT * FROM research_message WHERE application_id = $1 ORDER BY message_id", application_id
    )
    return [Message(**row) for row in rows]


def proposal_row(proposal: Proposal) -> Row:
    """Return the row of a proposal."""
    decision = proposal.decision
    return PROPOSAL, (
        proposal.proposal_id,
        proposal.application_id,
        proposal.operator_id,
        proposal.operator,
        proposal.at,
        decision.grants,
        columns_json(decision.columns),
        decision.months,
        decision.conditions,
        decision.reason,
        proposal.checker_id,
        proposal.checker,
        proposal.checked_at,
        proposal.confirmed,
        proposal.remark,
    )


async def fetch_proposals(db: Database | Connection, application_id: UUID) -> list[Proposal]:
    """Return the proposals about an application, the oldest first."""
    rows = await db.fetch(
        "SELECT * FROM research_proposal WHERE application_id = $1 ORDER BY proposal_id", application_id
    )
    return [_proposal(row) for row in rows]


async def write_check(conn: Connection, proposal: Proposal) -> None:
    """Write who checked a proposal, and whether they confirmed it."""
    await conn.execute(
        "UPDATE research_proposal SET checker_id = $2, checker = $3, checked_at = $4, confirmed = $5, remark = $6"
        " WHERE proposal_id = $1",
        proposal.proposal_id,
        proposal.checker_id,
        proposal.checker,
        proposal.checked_at,
        proposal.confirmed,
        proposal.remark,
    )


async def find_permit_id(db: Database | Connection, application_id: UUID) -> UUID | None:
    """Return the permit that was issued for an application, or None."""
    found: UUID | None = await db.fetchval(
        "SELECT permit_id FROM research_permit WHERE application_id = $1", application_id
    )
    return found


def _values(application: Application) -> tuple[Any, ...]:
    content = application.content
    fields = {name: getattr(content, name) for name in _CONTENT} | {
        "application_id": application.application_id,
        "account_id": application.account_id,
        "kind": content.kind.value,
        "state": application.state.value,
        "columns": columns_json(content.columns),
        "members": " ".join(content.members),
        "saved_at": application.saved_at,
        "submitted_at": application.submitted_at,
        "due_on": application.due_on,
        "asked_at": application.asked_at,
        "decided_at": application.decided_at,
        "reason": application.reason,
    }
    return tuple(fields[name] for name in APPLICATION.columns)


def _listed(row: Any) -> Listed:
    content = Content(
        kind=PermitKind(row["kind"]),
        columns=columns_of(row["columns"]),
        members=tuple(row["members"].split()),
        **{name: row[name] for name in _CONTENT},
    )
    application = Application(
        application_id=row["application_id"],
        account_id=row["account_id"],
        content=content,
        state=ApplicationState(row["state"]),
        saved_at=row["saved_at"],
        submitted_at=row["submitted_at"],
        due_on=row["due_on"],
        asked_at=row["asked_at"],
        decided_at=row["decided_at"],
        reason=row["reason"],
    )
    return Listed(application=application, applicant=row["applicant"], organization=row["organization"])


def _proposal(row: Any) -> Proposal:
    decision = Decision(
        grants=row["grants"],
        columns=columns_of(row["columns"]),
        months=row["months"],
        conditions=row["conditions"],
        reason=row["reason"],
    )
    names = ("proposal_id", "application_id", "operator_id", "operator", "at")
    checked = ("checker_id", "checker", "checked_at", "confirmed", "remark")
    return Proposal(decision=decision, **{name: row[name] for name in (*names, *checked)})
