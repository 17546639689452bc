"""The SQL of the questions in reviews of emergency accesses."""

from dataclasses import astuple, dataclass
from datetime import datetime
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table

QUESTION = Table(
    "access_review_question",
    Kind.LOCAL,
    {
        "question_id": "uuid",
        "grant_id": "uuid",
        "practitioner_id": "uuid",
        "asked_at": "timestamptz",
        "asked_by": "text",
        "question": "text",
        "reply": "text",
        "replied_at": "timestamptz",
    },
)
_QUESTION = f"SELECT {', '.join('q.' + name for name in QUESTION.columns)} FROM access_review_question q"  # noqa: S608 - declared in code


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question of an operator to the professional under review; open while `replied_at` is None."""

    question_id: UUID
    grant_id: UUID
    practitioner_id: UUID
    asked_at: datetime
    asked_by: str
    question: str
    reply: str = ""
    replied_at: datetime | None = None


def question_row(question: Question) -> Row:
    """Return the row of a question."""
    return QUESTION, astuple(question)


async def fetch_questions(db: Database, grant_id: UUID) -> list[Question]:
    """Return the questions about an access, oldest first."""
    rows = await db.fetch(f"{_QUESTION} WHERE q.grant_id = $1 ORDER BY q.question_id", grant_id)
    return [Question(**row) for row in rows]


async def fetch_open_questions(db: Database, practitioner_id: UUID, limit: int) -> list[Question]:
    """Return the questions to a professional that have no reply and whose review is not done, oldest first."""
    rows = await db.fetch(
        f"{_QUESTION} JOIN access_review r USING (grant_id)"
        " WHERE q.practitioner_id = $1 AND q.replied_at IS NULL AND r.reviewed_at IS NULL"
        " ORDER BY q.question_id LIMIT $2",
        practitioner_id,
        limit,
    )
    return [Question(**row) for row in rows]


async def lock_question(conn: Connection, question_id: UUID) -> Question | None:
    """Return a question, or None; its row is locked until the end of the transaction."""
    row = await conn.fetchrow(f"{_QUESTION} WHERE q.question_id = $1 FOR UPDATE", question_id)
    return Question(**row) if row else None


async def write_reply(conn: Connection, question_id: UUID, reply: str, at: datetime) -> None:
    """Write the reply to a question."""
    await conn.execute(
        "UPDATE access_review_question SET reply = $2, replied_at = $3 WHERE question_id = $1", question_id, reply, at
    )
