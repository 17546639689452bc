"""The parts of the bench about the access decision: one decision, and the replay of many past verdicts."""

import timeit
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, process_time
from uuid import UUID

from bench.bench_world import open_bench_platform
from bench.figures import Figures
from esante.core.journal import Actor, Event
from esante.core.storage import Row, insert, uuid7
from esante.identity.access import (
    Access,
    Action,
    Consent,
    Grant,
    GrantKind,
    Item,
    Purpose,
    RecordState,
    Requester,
    decide,
    policy_set,
)
from esante.identity.access.consent.store import grant_row
from esante.services.record import DepositedEvent, Read, Refused

_ACTS = 2_000
_PERSONS = 5_000
_CLASSES = ("laboratory_report", "prescription", "letter", "imaging_report", "discharge_letter")


async def decision(data: Path, seconds: float, full: bool) -> Figures:
    """Measure the access decision alone, for a record with six grants: by a circle, and by a code with a ceiling."""
    me, person, now = uuid7(), uuid7(), datetime.now(UTC)
    holders = [*(uuid7() for _ in range(5)), me]
    requester = Requester(kind="practitioner", id=me, name="x", profession="doctor")
    item = Item(category="laboratory_report")
    figures: Figures = {}
    for name, kind in (("circle", GrantKind.CIRCLE), ("code", GrantKind.PRESENCE)):
        grants = tuple(_grant(person, holder, kind, now) for holder in holders)
        consent = Consent(person_id=person, state=RecordState.OPEN, grants=grants)
        for action in (Action.READ, Action.WRITE):
            times = timeit.repeat(
                lambda consent=consent, action=action: decide(  # type: ignore[misc]
                    consent, requester, action, item, Purpose.TREATMENT, now
                ),
                number=_ACTS,
                repeat=7,
            )
            figures[f"{action.value} by {name}"] = f"{min(times) / _ACTS * 1e6:.1f} µs"
    return figures


def _grant(person: UUID, holder: UUID, kind: GrantKind, now: datetime) -> Grant:
    context = policy_set().at(now).context_of_kind(kind)
    return Grant(
        id=uuid7(),
        person_id=person,
        kind=kind,
        context=context.key if context else "",
        holder_kind="practitioner",
        holder_id=holder,
        since=now - timedelta(days=1),
    )


async def replay(data: Path, seconds: float, full: bool) -> Figures:
    """Measure the replay of past verdicts: reads by grants, deposits and refusals of 5,000 persons."""
    count = 1_000_000 if full else 200_000
    async with open_bench_platform(data) as platform:
        now = datetime.now(UTC)
        actor = Actor(kind="practitioner", id=uuid7(), name="Dr Mesure", role="doctor", organization_id=uuid7())
        assert actor.id is not None
        grants = [_grant(uuid7(), actor.id, GrantKind.PRESENCE, now) for _ in range(_PERSONS)]
        async with platform.db.transaction() as conn:
            await insert(conn, [grant_row(grant) for grant in grants])
        for first in range(0, count, 20_000):
            rows: list[Row] = []
            for event, person in _events(grants, range(first, first + 20_000)):
                rows += platform.journal.rows(event, person_id=person, actor=actor, origin="127.0.0.1")
            async with platform.db.transaction() as conn:
                await insert(conn, rows)
        await platform.journal.sealer.seal_all()
        await platform.db.fetch("VACUUM ANALYZE")
        began, used = perf_counter(), process_time()
        report = await platform[Access].replay()
        took, used = perf_counter() - began, process_time() - used
    assert not report.differences, report.differences
    return {
        "verdicts": f"{report.replayed:,}",
        "took": f"{took:.1f} s",
        "took: processor time": f"{used:.1f} s",
        "replayed": f"{report.replayed / took:,.0f}/s",
    }


def _events(grants: list[Grant], numbers: range) -> Iterator[tuple[Event, UUID]]:
    for number in numbers:
        grant = grants[number % len(grants)]
        about = {"categories": (_CLASSES[number % len(_CLASSES)],), "documents": (grant.id,)}
        match number % 10:
            case 8:
                yield (
                    DepositedEvent(rule="write.matrix", reason="provides", context="deposit", **about),
                    grant.person_id,
                )
            case 9:
                fields = about | {"allowed": False, "rule": "no-grant", "reason": "no-grant"}
                yield Refused(action="read", **fields), grant.person_id
            case _:
                by = {"grant_id": grant.id, "grant_kind": grant.kind.value, "context": grant.context}
                yield Read(rule="grant.presence_code", reason="presence_code", **by, **about), grant.person_id


PARTS: dict[str, Callable[[Path, float, bool], Awaitable[Figures]]] = {"decide": decision, "replay": replay}
