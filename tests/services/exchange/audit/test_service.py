"""Exchanged messages in the database: with what they change, or not at all."""

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database, Row, uuid7
from esante.core.web import Problem
from esante.identity.access import Requester
from esante.services.exchange.audit import AuditTrail, Exchanged, MessageExchanged, Side
from esante.services.exchange.audit.figures import month_bounds, write_csv
from esante.services.exchange.audit.message_store import MESSAGE
from esante.services.exchange.contact_points import Transaction

DOCTOR = Requester(kind="practitioner", id=uuid7(), name="Dr Ana Exemplo")
OPERATOR = Requester(kind="operator", id=uuid7(), name="Ann")
PERSON = uuid7()


@pytest.fixture
async def trail(db: Database, journal: Journal) -> AuditTrail:
    await db.fetch("DELETE FROM exchange_message")
    return AuditTrail(db, journal)


def exchanged(message_id: str, country: str = "PT", side: Side = Side.ANSWERED, outcome: str = "") -> Exchanged:
    now = clock.now()
    return Exchanged(
        side=side,
        transaction=Transaction.LIST,
        content="60591-5",
        country=country,
        initiator=DOCTOR,
        person_id=PERSON,
        patient="1988090300001^^^&1.3.182.4.4&ISO",
        message_id=message_id,
        request=b"request",
        answer=b"" if outcome else b"answer",
        outcome=outcome,
        began_at=now - timedelta(milliseconds=120),
        ended_at=now,
    )


async def test_message_is_in_the_journal_of_the_person_and_in_the_list_without_them(
    trail: AuditTrail, db: Database, journal: Journal
) -> None:
    await trail.record(exchanged("urn:uuid:one"))
    (entry,) = await journal.entries_of(PERSON, [MessageExchanged], limit=1)
    assert entry.actor.name == "Dr Ana Exemplo" and entry.event.message_id == "urn:uuid:one"
    assert entry.event.request_hash == hashlib.sha256(b"request").hexdigest()
    (message,) = (await trail.page(OPERATOR, "", "", "", None, is_failed=False)).items
    assert (message.country, message.side, message.took_ms) == ("PT", Side.ANSWERED, 120)
    rows = await db.fetch("SELECT row_to_json(m)::text AS text FROM exchange_message m")
    assert "1988090300001" not in rows[0]["text"] and str(PERSON) not in rows[0]["text"]


async def test_message_is_not_recorded_when_what_it_changes_fails(trail: AuditTrail, db: Database) -> None:
    await trail.record(exchanged("urn:uuid:one"))
    (known,) = await db.fetch("SELECT * FROM exchange_message")
    twice: Sequence[Row] = [(MESSAGE, tuple(known.values()))]
    with pytest.raises(asyncpg.UniqueViolationError):
        await trail.record(exchanged("urn:uuid:two"), twice)
    page = await trail.page(OPERATOR, "", "", "", None, is_failed=False)
    assert [one.message_id for one in page.items] == ["urn:uuid:one"]


async def test_list_is_searched_filtered_and_paged_for_operators_only(trail: AuditTrail) -> None:
    for number in range(25):
        country, outcome = ("PT", "") if number % 5 else ("MT", "ERROR_PI_NO_MATCH")
        await trail.record(exchanged(f"urn:uuid:{number:02}", country, outcome=outcome))
    first = await trail.page(OPERATOR, "", "", "", None, is_failed=False)
    second = await trail.page(OPERATOR, "", "", "", first.next, is_failed=False)
    ids = [one.message_id for one in (*first.items, *second.items)]
    assert ids == [f"urn:uuid:{number:02}" for number in reversed(range(25))] and second.next is None
    failed = await trail.page(OPERATOR, "", "", "", None, is_failed=True)
    assert {one.country for one in failed.items} == {"MT"} and len(failed.items) == 5
    assert len((await trail.page(OPERATOR, "MT", "", "", None, is_failed=False)).items) == 5
    assert not (await trail.page(OPERATOR, "", "B", "", None, is_failed=False)).items
    assert [
        one.message_id for one in (await trail.page(OPERATOR, "", "", "UUID:07", None, is_failed=False)).items
    ] == ["urn:uuid:07"]
    with pytest.raises(Problem) as refused:
        await trail.page(DOCTOR, "", "", "", None, is_failed=False)
    assert refused.value.status == 403


async def test_figures_name_the_pair_of_countries_and_count_outcomes(trail: AuditTrail, tmp_path: Path) -> None:
    for one in (
        exchanged("1"),
        exchanged("2"),
        exchanged("3", outcome="4701"),
        exchanged("4", side=Side.ASKED),
    ):
        await trail.record(one)
    month = clock.now().strftime("%Y-%m")
    text = write_csv(await trail.figures(*month_bounds(month)), "LU")
    assert text.splitlines()[1:] == [
        f"{month},PT,LU,ITI-38,60591-5,success,2,120,120",
        f"{month},PT,LU,ITI-38,60591-5,4701,1,120,120",
        f"{month},LU,PT,ITI-38,60591-5,success,1,120,120",
    ]
