"""Every exact figure against a count in plain Python over an export of the journal."""

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

from esante.core.journal import Actor
from esante.core.storage import NIL
from esante.identity.access import SharingChanged, StateChanged
from esante.services.bulletin import IndicatorSpecification
from esante.services.bulletin.model import PlatformObserved
from esante.services.bulletin.releases import vintage_store
from esante.services.record import Corrected, DepositedEvent, Withdrawn

from .conftest import LAST, bulletin_over, month_back, tell, with_past

LOCAL = ZoneInfo("Europe/Luxembourg")


async def exported(journal) -> list[dict]:
    """The journal as a person reads it: one dict an entry, defaults of the events filled in by hand."""
    head = await journal.head()
    found = []
    for seq, person, at, type_, content, _ in await journal.sealed(0, head.size):
        told = json.loads(content)
        found.append(
            {
                "seq": seq,
                "month": at.astimezone(LOCAL).strftime("%Y-%m"),
                "hour": at.astimezone(LOCAL).strftime("%d %H"),
                "type": type_,
                "person": None if person == NIL else str(person),
                "actor": told["actor"],
                "event": {"allowed": True, "categories": ["unknown"], "delay": None} | told["event"],
            }
        )
    return found


def counted(entries: list[dict], month: str) -> dict[tuple[str, str, str], float]:
    """The figures of a month, counted the slow way."""
    exact: Counter = Counter()
    units: defaultdict = defaultdict(set)
    delays, latencies, states, documents, accounts = [], [], {}, Counter(), set()

    def row(indicator, **by):
        exact[indicator, "", ""] += 1
        for breakdown, part in by.items():
            exact[indicator, breakdown, part] += 1

    def unit(indicator, who, **by):
        units[indicator, "", ""].add(who)
        for breakdown, part in by.items():
            units[indicator, breakdown, part].add(who)

    for entry in entries:
        if entry["month"] > month:
            continue
        type_, event, actor, person = entry["type"], entry["event"], entry["actor"], entry["person"]
        now = entry["month"] == month
        role, patient = actor.get("role") or actor["kind"], actor["kind"] == "patient"
        if type_ == "access.state_changed":
            states[person] = event["after"]
            named = {"open": "records_opened", "closed": "records_closed", "objected": "records_objected"}
            if now and event["after"] in named:
                unit(named[event["after"]], person)
        elif type_ == "access.signed_in" and patient:
            accounts.add(actor["id"])
            if now:
                unit("patients_active", actor["id"])
        elif type_ == "record.deposited" and event["allowed"]:
            documents[person] += 1
            if now:
                delay = event["delay"]
                steps = ((0, "0"), (1, "1"), (7, "2-7"), (30, "8-30"), (10**6, "31+"))
                named = "unknown" if delay is None else next(name for most, name in steps if delay <= most)
                delays += [delay] if delay is not None else []
                category, format_ = event["categories"][0], event["media_type"]
                row("documents_deposited", category=category, origin=role, format=format_, delay=named)
        elif type_ == "record.withdrawn" and event["allowed"]:
            documents[person] -= 1
        elif type_ == "record.corrected" and event["allowed"]:
            documents[person] += 1 if event["moved"] == "in" else -1
        elif type_ == "platform.observed" and now:
            exact["platform_requests", "", ""] += event["requests"]
            exact["platform_failures", "", ""] += event["errors"]
            exact["platform_served", "", ""] += event["requests"] - event["errors"]
            unit("platform_hours", entry["hour"])
            latencies += [event["p95_ms"]] if event["requests"] else []
        elif type_ == "access.sharing_changed" and now:
            row("restrictions_set", choice="sharing" if event["sharing"] else "not_sharing")
        elif type_ == "record.read" and event["allowed"] and now:
            row("documents_read", category=event["categories"][0], reader="patient" if patient else role)
        elif type_ == "access.granted" and now:
            row("grants_given", grant=event["kind"])
        elif type_ == "access.emergency" and event["allowed"] and now:
            row("emergency_accesses")
        elif type_ == "record.refused" and now:
            row("accesses_refused", reason=event["reason"])
        elif type_ == "record.confidentiality_set" and now:
            row("restrictions_set", choice=event["level"])
        elif type_ == "access.block_changed" and now:
            row("restrictions_set", choice="blocked" if event["blocked"] else "unblocked")
        elif type_ == "access.log_read" and now:
            unit("logs_read", person)
        elif type_ == "directory.practitioner_registered" and now:
            row("professionals_registered", profession=event["profession"])
        if now and type_ in ("record.read", "record.listed", "record.deposited") and event["allowed"]:
            if not patient and type_ != "record.deposited":
                unit("records_consulted", person)
            if actor["kind"] == "practitioner":
                unit("professionals_active", actor["id"], profession=role)
            if actor.get("organization_id"):
                unit("organizations_active", actor["organization_id"])
    found = dict(exact) | {place: len(members) for place, members in units.items()}
    opened = {person for person, state in states.items() if state == "open"}
    found["records_open", "", ""] = len(opened)
    found["records_with_document", "", ""] = sum(1 for person in opened if documents[person] > 0)
    found["patient_accounts", "", ""] = len(accounts)
    for indicator, values in (("documents_delay", delays), ("platform_latency", latencies)):
        if values:
            found[indicator, "", ""] = sorted(values)[(len(values) - 1) // 2]
    return found


async def test_every_exact_figure_is_what_a_plain_count_gives(past):
    entries = await exported(past.journal)
    for back in (1, 2, 3, 4):
        month = month_back(back)
        cells = await vintage_store.fetch_protected_cells(past.db, month, 1)
        ours = {cell.series_key: exact for cell, exact, _ in cells if exact}
        assert ours == {place: value for place, value in counted(entries, month).items() if value}
        assert len(ours) > 40
    assert past.built.vintage.period == LAST


async def test_what_the_invented_past_never_tells_is_counted_too(fresh, tmp_path):
    await with_past(fresh, 1, size=0.05)
    chance, system = Random(5), Actor(kind="system", name="esante")
    people = [UUID(int=number) for number in range(1, 60)]

    def moment() -> datetime:
        year, month = map(int, LAST.split("-"))
        return datetime(year, month, chance.randrange(1, 28), chance.randrange(24), chance.randrange(60), tzinfo=UTC)

    told = [(StateChanged(before="pending", after="open"), who, system, moment()) for who in people]
    for _ in range(400):
        who, requests = chance.choice(people), chance.randrange(3)
        deposit = DepositedEvent(type="51852-2", media_type="text/plain", categories=("letter",), delay=1)
        event = chance.choice([
            SharingChanged(sharing=chance.random() < 0.3),
            Corrected(moved=chance.choice(["in", "out"]), categories=("letter",)),
            Withdrawn(categories=("letter",)),
            Withdrawn(categories=("letter",), allowed=False, reason="profession"),
            deposit,
            PlatformObserved(requests=requests * 90, errors=requests, p95_ms=chance.randrange(900), seconds_up=3_600),
        ])  # fmt: skip
        platform = isinstance(event, PlatformObserved)
        told.append((event, None if platform else who, system, moment()))
    await tell(fresh, told)
    bulletin = bulletin_over(fresh, tmp_path)
    known = bulletin.specification
    since = known.indicators_toml.replace(b'since = "2026-11"', b'since = "2023-01"')
    bulletin.specification = IndicatorSpecification(
        indicators_toml=since, lake_toml=known.lake_toml, protection_toml=known.protection_toml
    ).validate()
    await bulletin.build(LAST, "anna")
    ours = {cell.series_key: exact for cell, exact, _ in await vintage_store.fetch_protected_cells(fresh.db, LAST, 1) if exact}
    theirs = counted(await exported(fresh), LAST)
    assert ours == {place: value for place, value in theirs.items() if value}
    for indicator in ("platform_requests", "platform_failures", "platform_hours", "platform_latency"):
        assert ours[indicator, "", ""] > 0
    assert ours["restrictions_set", "choice", "not_sharing"] > 0


async def test_what_is_published_is_exact_or_says_that_it_is_not(past):
    for cell, exact, _ in await vintage_store.fetch_protected_cells(past.db, LAST, 1):
        if cell.flag == "" and exact is not None:
            assert cell.value == exact
        elif cell.flag == "perturbed":
            assert abs(cell.value - exact) <= 3
        else:
            assert cell.value is None or cell.indicator.endswith("share")
