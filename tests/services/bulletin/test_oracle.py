"""Every exact count against a count in plain Python over an export of the journal."""

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from esante.core.journal import Actor
from esante.core.storage import NIL
from esante.identity.access import SharingChanged, StateChanged
from esante.services.bulletin.model import PlatformObserved
from esante.services.bulletin.releases import vintage_store
from esante.services.record import Corrected, DepositedEvent, Withdrawn
from esante.services.record.retention.events import ContentDeleted
from tests.support.bulletin_journal import LAST, load_entries, load_past, month_back, open_bulletin, with_files

LOCAL = ZoneInfo("Europe/Luxembourg")
DELAYS = ((0, "0"), (1, "1"), (7, "2-7"), (30, "8-30"), (10**6, "31+"))
DEADLINES = {
    "11502-2": "laboratory_report", "11526-1": "laboratory_report", "18842-5": "discharge_letter", "34105-7": "discharge_letter",
    "100719-4": "discharge_letter", "34133-9": "clinical_summary", "60591-5": "patient_summary",
    "18748-4": "imaging_report", "85430-7": "imaging_report", "68604-8": "imaging_report",
}  # fmt: skip
OPENED = {"open": "records_opened", "closed": "records_closed", "objected": "records_objected"}


async def export_journal(journal) -> list[dict]:
    """Return the journal, a dict for each entry, with the defaults of the events filled in by hand."""
    head = await journal.head()
    found = []
    for seq, person, at, type_, content, _ in await journal.sealed_entries(0, head.size):
        entry = json.loads(content)
        found.append(
            {
                "seq": seq,
                "month": at.astimezone(LOCAL).strftime("%Y-%m"),
                "hour": at.astimezone(LOCAL).strftime("%d %H"),
                "type": type_,
                "person": None if person == NIL else str(person),
                "actor": entry["actor"],
                "event": {"allowed": True, "categories": ["unknown"], "delay": None} | entry["event"],
            }
        )
    return found


class PlainCount:
    """The counts of a month from entries up to its end; methods are named after the event types."""

    def __init__(self, entries: list[dict], month: str) -> None:
        self.exact: Counter = Counter()
        self.units: defaultdict[tuple[str, str, str], set] = defaultdict(set)
        self.states: dict[str, str] = {}
        self.documents: Counter = Counter()
        self.accounts: set[str] = set()
        self.values: defaultdict[str, list[int]] = defaultdict(list)
        for entry in entries:
            if entry["month"] <= month:
                self.now = entry["month"] == month
                self.count(entry)

    def count(self, entry: dict) -> None:
        """Count an entry; stocks need all months, flows only the month itself."""
        if (method := getattr(self, "stock_" + entry["type"].replace(".", "_"), None)) is not None:
            method(entry, entry["event"], entry["actor"])
        if not self.now:
            return
        if (method := getattr(self, "flow_" + entry["type"].replace(".", "_"), None)) is not None:
            method(entry, entry["event"], entry["actor"])
        if entry["type"] in ("record.read", "record.listed", "record.deposited") and entry["event"]["allowed"]:
            self.use_of_record(entry, entry["actor"])

    def row(self, indicator: str, **by: str) -> None:
        self.exact[indicator, "", ""] += 1
        for breakdown, category in by.items():
            self.exact[indicator, breakdown, category] += 1

    def unit(self, indicator: str, unit: Any, **by: str) -> None:
        self.units[indicator, "", ""].add(unit)
        for breakdown, category in by.items():
            self.units[indicator, breakdown, category].add(unit)

    def stock_access_state_changed(self, entry, event, actor):
        self.states[entry["person"]] = event["after"]

    def stock_access_signed_in(self, entry, event, actor):
        if actor["kind"] == "patient":
            self.accounts.add(actor["id"])

    def stock_record_deposited(self, entry, event, actor):
        self.documents[entry["person"]] += 1 if event["allowed"] else 0

    def stock_record_withdrawn(self, entry, event, actor):
        self.documents[entry["person"]] -= 1 if event["allowed"] else 0

    def stock_record_corrected(self, entry, event, actor):
        if event["allowed"]:
            self.documents[entry["person"]] += 1 if event["moved"] == "in" else -1

    def stock_record_content_deleted(self, entry, event, actor):
        self.documents[entry["person"]] -= event.get("current", 0) if event["allowed"] else 0

    def flow_access_state_changed(self, entry, event, actor):
        if event["after"] in OPENED:
            self.unit(OPENED[event["after"]], entry["person"])

    def flow_access_signed_in(self, entry, event, actor):
        if actor["kind"] == "patient":
            self.unit("patients_active", actor["id"])

    def flow_record_deposited(self, entry, event, actor):
        if not event["allowed"]:
            return
        delay = event["delay"]
        step = "unknown" if delay is None else next(name for most, name in DELAYS if delay <= most)
        self.values["documents_delay"] += [delay] if delay is not None else []
        by = {"category": event["categories"][0], "origin": role_of(actor), "format": event["media_type"]}
        self.row("documents_deposited", **by, delay=step)
        if delay is not None and (kind := DEADLINES.get(event["type"])):
            self.row("documents_with_deadline", deposit_kind=kind)
            self.row("documents_in_time" if delay <= 15 else "documents_late", deposit_kind=kind)

    def flow_platform_observed(self, entry, event, actor):
        self.exact["platform_requests", "", ""] += event["requests"]
        self.exact["platform_failures", "", ""] += event["errors"]
        self.exact["platform_served", "", ""] += event["requests"] - event["errors"]
        self.unit("platform_hours", entry["hour"])
        self.values["platform_latency"] += [event["p95_ms"]] if event["requests"] else []

    def flow_access_sharing_changed(self, entry, event, actor):
        self.row("restrictions_set", choice="sharing" if event["sharing"] else "not_sharing")

    def flow_record_read(self, entry, event, actor):
        if event["allowed"]:
            reader = "patient" if actor["kind"] == "patient" else role_of(actor)
            self.row("documents_read", category=event["categories"][0], reader=reader)

    def flow_access_granted(self, entry, event, actor):
        self.row("grants_given", grant=event["kind"])

    def flow_access_emergency(self, entry, event, actor):
        if event["allowed"]:
            self.row("emergency_accesses")

    def flow_record_refused(self, entry, event, actor):
        self.row("accesses_refused", reason=event["reason"])

    def flow_record_confidentiality_set(self, entry, event, actor):
        self.row("restrictions_set", choice=event["level"])

    def flow_access_block_changed(self, entry, event, actor):
        self.row("restrictions_set", choice="blocked" if event["blocked"] else "unblocked")

    def flow_access_log_read(self, entry, event, actor):
        self.unit("logs_read", entry["person"])

    def flow_directory_practitioner_registered(self, entry, event, actor):
        self.row("professionals_registered", profession=event["profession"])

    def use_of_record(self, entry, actor):
        if actor["kind"] != "patient" and entry["type"] != "record.deposited":
            self.unit("records_consulted", entry["person"])
        if actor["kind"] == "practitioner":
            self.unit("professionals_active", actor["id"], profession=role_of(actor))
        if actor.get("organization_id"):
            self.unit("organizations_active", actor["organization_id"])

    def counts(self) -> dict[tuple[str, str, str], float]:
        """Return the counts of all series that are not 0."""
        found = dict(self.exact) | {series: len(members) for series, members in self.units.items()}
        opened = {person for person, state in self.states.items() if state == "open"}
        found["records_open", "", ""] = len(opened)
        found["records_with_document", "", ""] = sum(1 for person in opened if self.documents[person] > 0)
        found["patient_accounts", "", ""] = len(self.accounts)
        for indicator, values in self.values.items():
            if values:
                found[indicator, "", ""] = sorted(values)[(len(values) - 1) // 2]
        return {series: value for series, value in found.items() if value}


def role_of(actor: dict) -> str:
    """Return the profession or kind of organisation of an actor, or else the kind of actor."""
    return actor.get("role") or actor["kind"]


async def exact_counts_of(db, month: str) -> dict[tuple[str, str, str], float]:
    """Return the exact values of the first vintage of a month that are not 0."""
    cells = await vintage_store.fetch_protected_cells(db, month, 1)
    return {cell.series_key: exact for cell, exact, _ in cells if exact}


async def test_exact_counts_equal_plain_count(past):
    entries = await export_journal(past.journal)
    for back in (1, 2, 3, 4):
        month = month_back(back)
        exact = await exact_counts_of(past.db, month)
        assert exact == PlainCount(entries, month).counts()
        assert len(exact) > 40
    assert past.built.vintage.period == LAST


async def test_counts_of_events_absent_from_past_equal_plain_count(fresh, tmp_path):
    await load_past(fresh, 1, size=0.05)
    chance, system = Random(5), Actor(kind="system", name="esante")
    people = [UUID(int=number) for number in range(1, 60)]

    def moment() -> datetime:
        year, month = map(int, LAST.split("-"))
        return datetime(year, month, chance.randrange(1, 28), chance.randrange(24), chance.randrange(60), tzinfo=UTC)

    events = [(StateChanged(before="pending", after="open"), person, system, moment()) for person in people]
    for _ in range(400):
        person, requests = chance.choice(people), chance.randrange(3)
        deposit = DepositedEvent(
            type=chance.choice(["51852-2", *DEADLINES]),
            media_type="text/plain",
            categories=("letter",),
            delay=chance.choice([1, 15, 16, None]),
        )
        event = chance.choice([
            SharingChanged(sharing=chance.random() < 0.3),
            Corrected(moved=chance.choice(["in", "out"]), categories=("letter",)),
            Withdrawn(categories=("letter",)),
            ContentDeleted(categories=("letter",), current=chance.randrange(3), count=3),
            Withdrawn(categories=("letter",), allowed=False, reason="profession"),
            deposit,
            PlatformObserved(requests=requests * 90, errors=requests, p95_ms=chance.randrange(900), seconds_up=3_600),
        ])  # fmt: skip
        platform = isinstance(event, PlatformObserved)
        events.append((event, None if platform else person, system, moment()))
    await load_entries(fresh, events)
    bulletin = open_bulletin(fresh, tmp_path)
    since = bulletin.specification.indicators_toml.replace(b'since = "2026-11"', b'since = "2023-01"')
    bulletin.specification = with_files(bulletin.specification, indicators_toml=since)
    await bulletin.build(LAST, "anna")
    exact = await exact_counts_of(fresh.db, LAST)
    assert exact == PlainCount(await export_journal(fresh), LAST).counts()
    for indicator in ("platform_requests", "platform_failures", "platform_hours", "platform_latency"):
        assert exact[indicator, "", ""] > 0
    assert exact["restrictions_set", "choice", "not_sharing"] > 0
    assert exact["documents_late", "deposit_kind", "imaging_report"] > 0


async def test_published_cell_is_exact_or_flagged(past):
    for cell, exact, _ in await vintage_store.fetch_protected_cells(past.db, LAST, 1):
        if cell.flag == "" and exact is not None:
            assert cell.value == exact
        elif cell.flag == "perturbed":
            assert abs(cell.value - exact) <= 3
        else:
            assert cell.value is None or cell.indicator.endswith("share")
