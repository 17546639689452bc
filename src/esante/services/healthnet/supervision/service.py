"""The supervisor: one process looks at all heartbeats, keeps measures, raises and ends anomalies."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from esante.core import clock
from esante.core.journal import Event, Journal
from esante.core.storage import Connection as Conn
from esante.core.storage import Database, Row, insert, uuid7
from esante.core.time_zone import day_of
from esante.services.healthnet.supervision import anomaly_store, measure_store
from esante.services.healthnet.supervision.measures import DAY, HOUR, Gathering, hour_of
from esante.services.healthnet.supervision.model import (
    Anomaly,
    AnomalyEnded,
    AnomalyRaised,
    AnomalyRule,
    Change,
    NetworkObserved,
    Reading,
    Subject,
)
from esante.services.healthnet.supervision.readings import read_heartbeat
from esante.services.healthnet.supervision.rules import Judge
from esante.services.healthnet.supervision.terms import terms_on

LEASE = timedelta(seconds=30)
"""For how long a process that does not look any more is waited for."""
KEEP_EVERY = timedelta(seconds=30)
"""Between two writes of measures: a crash loses what was gathered since."""
_LATE = timedelta(seconds=5)
"""Heartbeats are kept a moment after they came: these last seconds are read again."""


class Supervisor:
    """Looks at the network every few seconds (`run`), in one process at a time."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal
        self._watch_id = uuid7()
        self._is_watching = False
        self._began_at = self._kept_at = datetime.min.replace(tzinfo=UTC)
        self._seen: dict[str, datetime] = {}
        self._judge, self._gathering = Judge(), Gathering()
        self._usual: tuple[datetime, dict[str, float]] = (self._began_at, {})
        self._minutes = [0, 0]
        """Minutes in which sites should have been there, and were, since `_observed_at`."""
        self._observed_at: datetime | None = None

    async def run(self) -> None:
        """Look at what came since the last time; nothing where another process does."""
        now = clock.now()
        try:
            async with self._db.transaction() as conn:
                if not await measure_store.lock(conn) or not await self._hold_watch(conn, now):
                    return
                await self._look(conn, now)
                if now - self._kept_at >= KEEP_EVERY:
                    await measure_store.add_measures(conn, self._gathering.take())
                    await self._observe(conn, now)
                    self._kept_at = now
        except BaseException:
            self._is_watching = False  # what was judged was not kept: begin from what the database says
            raise

    async def tidy(self) -> None:
        """Delete what was kept for long enough."""
        now = clock.now()
        terms = terms_on(day_of(now))
        async with self._db.transaction() as conn:
            for span, of_paths, kept in (
                (HOUR, False, terms.site_hours_kept),
                (DAY, False, terms.site_days_kept),
                (HOUR, True, terms.path_hours_kept),
                (DAY, True, terms.path_days_kept),
            ):
                await measure_store.delete_before(conn, span, now - kept, of_paths=of_paths)
            await anomaly_store.delete_ended(conn, now - terms.anomalies_kept)
            await measure_store.delete_watches(conn, now - terms.anomalies_kept)

    async def _hold_watch(self, conn: Conn, now: datetime) -> bool:
        """Go on watching, or begin when nobody does; return whether this process watches."""
        newest = await measure_store.newest_watch(conn)
        if self._is_watching and newest is not None and newest["watch_id"] == self._watch_id:
            if now - newest["until"] <= LEASE:
                await measure_store.extend_watch(conn, self._watch_id, now)
                return True
        elif newest is not None and now - newest["until"] < LEASE and newest["watch_id"] != self._watch_id:
            self._is_watching = False
            return False
        await self._begin(conn, now)
        return True

    async def _begin(self, conn: Conn, now: datetime) -> None:
        """Begin to watch: what is open is known, and silence counts from now."""
        self._watch_id, self._began_at, self._kept_at = uuid7(), now, now
        self._judge = Judge(Subject(one.site, one.other, one.rule) for one in await anomaly_store.fetch_open(conn))
        self._gathering, self._seen, self._observed_at = Gathering(), {}, None
        self._gathering.begin_hour(hour_of(now), await measure_store.fetch_traffic(conn, hour_of(now)))
        await insert(conn, [(measure_store.WATCH, (self._watch_id, now, now))])
        self._is_watching = True

    async def _look(self, conn: Conn, now: datetime) -> None:
        terms = terms_on(day_of(now))
        supervised = await measure_store.fetch_supervised(conn)
        releases = await measure_store.fetch_releases(conn)
        changes: list[Change] = []
        last = max(self._seen.values(), default=now - LEASE)
        for row in await measure_store.fetch_heartbeats(conn, last - _LATE):
            site, at = row["site"], row["received_at"]
            if site not in supervised or self._seen.get(site) == at:
                continue
            self._seen[site] = at
            reading = read_heartbeat(site, at, row["version"], bytes(row["content"]), supervised)
            self._gathering.add(reading)
            changes += self._judge_reading(reading, terms.rules, releases)
        changes += self._judge_sites(supervised, terms.rules, now, await self._usual_of(conn, now))
        gone = {one.site for one in self._judge.open} | {one.other for one in self._judge.open if one.other}
        changes += self._judge.forget(gone - supervised.keys())
        for site in self._seen.keys() - supervised.keys():
            del self._seen[site]
        await self._keep(conn, changes, now)
        self._count_minutes(supervised, now)

    def _judge_reading(
        self, reading: Reading, rules: Iterable[AnomalyRule], releases: Mapping[int, datetime]
    ) -> Iterator[Change]:
        """Yield what a heartbeat changes about its site and the paths of that."""
        at, site = reading.at.timestamp(), reading.site
        until = reading.certificate_until
        left = None if until is None else (until - reading.at).total_seconds() / 3600
        own = {"certificate_left": left, "release_overdue": _overdue(reading, releases)}
        see = self._judge.see
        for rule in rules:
            if rule.measure == "latency":
                found = [see(Subject(site, path.other, rule.key), rule, path.latency, at) for path in reading.paths]
            elif rule.measure == "loss":
                found = [see(Subject(site, path.other, rule.key), rule, path.loss, at) for path in reading.paths]
            else:
                found = [see(Subject(site, "", rule.key), rule, own.get(rule.measure), at)]
            yield from filter(None, found)

    def _judge_sites(
        self,
        supervised: dict[str, datetime | None],
        rules: Iterable[AnomalyRule],
        now: datetime,
        usual: dict[str, float],
    ) -> Iterator[Change]:
        """Yield what the present moment changes: who is silent, whose traffic is far from the usual."""
        at = now.timestamp()
        for rule in rules:
            if rule.measure == "silence":
                for site, seen in supervised.items():
                    subject = Subject(site, "", rule.key)
                    silence = self._silence(subject, seen, now)
                    if change := self._judge.see(subject, rule, silence, at):
                        yield change._replace(since=at - change.value) if change.is_raised else change
            elif rule.measure == "traffic_ratio":
                for site, mean in usual.items():
                    rate = self._gathering.rate(site, now) if site in supervised else None
                    ratio = None if rate is None else rate / mean
                    if change := self._judge.see(Subject(site, "", rule.key), rule, ratio, at):
                        yield change

    def _silence(self, subject: Subject, seen: datetime | None, now: datetime) -> float | None:
        """Return for how long a site is silent (s): what was before the watch began does not raise an anomaly."""
        if subject in self._judge.open:
            return None if seen is None else (now - seen).total_seconds()
        return (now - max(seen or self._began_at, self._began_at)).total_seconds()

    async def _usual_of(self, conn: Conn, now: datetime) -> dict[str, float]:
        """Return the usual bytes a second of each site in this hour of the day, where they are enough to compare."""
        hour = hour_of(now)
        if self._usual[0] != hour:
            terms = terms_on(day_of(now))
            hours = [hour - timedelta(days=days) for days in range(1, terms.usual_of_days + 1)]
            found = await measure_store.fetch_usual(conn, hours, terms.usual_needs)
            self._usual = hour, {site: mean for site, mean in found.items() if mean >= terms.usual_floor}
        return self._usual[1]

    async def _keep(self, conn: Conn, changes: Iterable[Change], now: datetime) -> None:
        """Keep anomalies that began or ended, with their entries."""
        rows: list[Row] = []
        events: list[Event] = []
        ended: list[Subject] = []
        for subject, is_raised, level, value, since in changes:
            if not is_raised:
                ended.append(subject)
                continue
            anomaly = Anomaly(
                anomaly_id=uuid7(),
                **subject._asdict(),
                level=level,
                value=value,
                began_at=datetime.fromtimestamp(since, UTC),
                raised_at=now,
                ended_at=None,
            )
            rows.append(anomaly_store.anomaly_row(anomaly))
            events.append(AnomalyRaised(**subject._asdict(), level=level, value=round(value, 3)))
        began = await anomaly_store.end_anomalies(conn, ended, now) if ended else {}
        for subject, at in began.items():
            events.append(AnomalyEnded(**subject._asdict(), seconds=int((now - at).total_seconds())))
        if rows or events:
            await insert(conn, [*rows, *(row for one in events for row in self._journal.rows(one))])

    def _count_minutes(self, supervised: dict[str, datetime | None], now: datetime) -> None:
        silent = {one.site for one in self._judge.open if one.rule == "silent"}
        self._observed_at = self._observed_at or now
        self._minutes[0] += len(supervised)
        self._minutes[1] += len(supervised.keys() - silent)

    async def _observe(self, conn: Conn, now: datetime) -> None:
        """Report an hour of the network to the journal, once it is over."""
        if self._observed_at is None or hour_of(self._observed_at) == hour_of(now):
            return
        looked, present = self._minutes
        self._minutes, self._observed_at = [0, 0], now
        if not looked:
            return
        sites = len(await measure_store.fetch_supervised(conn))
        expected = 60 * sites
        missing = round(expected * (looked - present) / looked)
        event = NetworkObserved(sites=sites, minutes_expected=expected, minutes_missing=missing)
        await insert(conn, self._journal.rows(event))


def _overdue(reading: Reading, releases: Mapping[int, datetime]) -> float | None:
    """Return the hours since there is a release that a site did not install."""
    if reading.release is None:
        return None
    missing = [at for number, at in releases.items() if number > reading.release]
    return max(0.0, (reading.at - min(missing)).total_seconds() / 3600) if missing else 0.0
