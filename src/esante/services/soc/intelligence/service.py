"""The use cases of threat intelligence: read feeds, import files, list indicators, look for new ones in the past."""

import hashlib
import logging
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Connection, Database, insert
from esante.core.web import N_, Page, bad_request, decode_uuid_cursor, encode_cursor
from esante.identity.access import Requester, require_operator
from esante.services.soc.alerts.service import Alerts
from esante.services.soc.hunting.model import FoundEvent, Hunt
from esante.services.soc.hunting.rules import MAX_OBSERVABLES
from esante.services.soc.hunting.search import HuntSearch
from esante.services.soc.intelligence import indicator_store
from esante.services.soc.intelligence.feeds import Feed, FeedReader
from esante.services.soc.intelligence.indicator_set import IndicatorSet
from esante.services.soc.intelligence.matching import EventHits, Matcher
from esante.services.soc.intelligence.misp import read_misp
from esante.services.soc.intelligence.model import (
    FeedRead,
    FeedState,
    IndicatorFilter,
    IndicatorsImported,
    KeptIndicator,
    NotRead,
    PastSearched,
    Reading,
    Tlp,
)
from esante.services.soc.intelligence.observables import ObservableKind
from esante.services.soc.intelligence.stix import read_stix
from esante.services.soc.intelligence.warning_lists import WarningLists

log = logging.getLogger(__name__)
PAGE_SIZE = 50
MAX_FILE = 64 << 20
PAST = timedelta(days=30)
"""How far back new indicators are looked for."""
MATCHES_KEPT = timedelta(days=365)


class Intelligence:
    """Threat intelligence; `matcher` is for the process that takes events in."""

    def __init__(
        self,
        db: Database,
        journal: Journal,
        alerts: Alerts,
        search: HuntSearch,
        reader: FeedReader,
        feeds: Sequence[Feed],
        lists: WarningLists,
    ) -> None:
        self._db, self._journal, self._alerts, self._search, self._reader = db, journal, alerts, search, reader
        self.feeds, self._lists = feeds, lists
        self.matcher = Matcher(db, lists)

    async def read_feeds(self) -> None:
        """Read each feed that is due; one process at a time reads one."""
        states = await indicator_store.fetch_states(self._db)
        for feed in self.feeds:
            state = states.get(feed.name)
            if state is None or state.tried_at is None or state.tried_at + feed.every <= clock.now():
                await self.read_feed(feed)

    async def read_feed(self, feed: Feed) -> None:
        """Read a feed; what goes wrong is kept and shown, and what was read before stays."""
        async with self._db.transaction() as conn:
            if not await indicator_store.lock_feed(conn, feed.name):
                return
            state = (await indicator_store.fetch_states(self._db)).get(feed.name)
            try:
                reading = await self._reader.read(feed, state.marker if state else "")
            except NotRead as fault:
                log.warning("the feed %s was not read: %s", feed.name, fault)
                await indicator_store.keep_state(conn, feed.name, None, fault.reason, {})
                return
            added, changed = await indicator_store.upsert(conn, feed.name, reading.indicators)
            await indicator_store.keep_state(conn, feed.name, reading.marker, "", dict(reading.skipped))
            if added or changed:
                event = FeedRead(
                    feed=feed.name,
                    added=added,
                    changed=changed,
                    revoked=sum(one.revoked for one in reading.indicators),
                    skipped=sum(reading.skipped.values()),
                )
                await insert(conn, self._journal.rows(event))

    async def import_file(self, requester: Requester, name: str, content: bytes, tlp: Tlp) -> tuple[int, int, Reading]:
        """Read a file of MISP or STIX; return how many indicators are new and changed, and what was read.

        Raises: Problem 403, 400 for a file that is neither, or too large.
        """
        require_operator(requester)
        if len(content) > MAX_FILE:
            raise bad_request("file", N_("The file is larger than 64 MiB."), code="value")
        try:
            reading = _read(content, tlp)
        except NotRead as fault:
            raise bad_request("file", fault.reason, fault.remedy, code="value") from fault
        feed = f"file: {name}"[:100]
        async with self._db.transaction() as conn:
            added, changed = await indicator_store.upsert(conn, feed, reading.indicators)
            await indicator_store.keep_state(conn, feed, "", "", dict(reading.skipped))
            digest = hashlib.sha256(content).hexdigest()
            event = IndicatorsImported(feed=feed, sha256=digest, added=added, changed=changed)
            await insert(conn, self._journal.rows_for(requester, event))
        return added, changed, reading

    async def page(
        self, requester: Requester, wanted: IndicatorFilter, cursor: str | None = None
    ) -> Page[KeptIndicator]:
        """Return a page of the indicators, the newest first. Raises: Problem 403, 400."""
        require_operator(requester)
        found = await indicator_store.fetch_page(self._db, wanted, decode_uuid_cursor(cursor), PAGE_SIZE + 1)
        shown = found[:PAGE_SIZE]
        return Page(shown, encode_cursor(shown[-1].indicator_id) if len(found) > PAGE_SIZE else None)

    async def states(self, requester: Requester) -> dict[str, FeedState]:
        """Return how the last readings went, by feed. Raises: Problem 403."""
        require_operator(requester)
        return await indicator_store.fetch_states(self._db)

    async def days(self, requester: Requester, since: date) -> list[tuple[date, int, int]]:
        """Return kept and dropped matches by day. Raises: Problem 403."""
        require_operator(requester)
        return await indicator_store.fetch_days(self._db, since)

    async def busiest(self, requester: Requester, since: date) -> list[tuple[KeptIndicator, int, int]]:
        """Return the indicators with most matches since a day. Raises: Problem 403."""
        require_operator(requester)
        return await indicator_store.fetch_busiest(self._db, since, 20)

    async def search_past(self) -> None:
        """Look for the indicators that were added since the last time in the events of the past days, and alert."""
        until = clock.now()
        async with self._db.transaction() as conn:
            after = await indicator_store.lock_past_search(conn)
            if after is None:
                after = until - PAST
            added = await indicator_store.fetch_added(self._db, after, until) if after < until else []
            if after >= until:
                return
            matches = 0
            for start in range(0, len(added), MAX_OBSERVABLES):
                matches += await self._search_past(conn, added[start : start + MAX_OBSERVABLES], until)
            await indicator_store.keep_past_search(conn, until)
            if added:
                await insert(conn, self._journal.rows(PastSearched(indicators=len(added), matches=matches)))

    async def tidy(self) -> None:
        """Delete matches that have been kept long enough."""
        await indicator_store.delete_before(self._db, (clock.now() - MATCHES_KEPT).date())

    async def _search_past(self, conn: Connection, added: Sequence[KeptIndicator], until: datetime) -> int:
        """Look for indicators in the past; networks are matched with new events only."""
        known = IndicatorSet(self._lists)
        known.put(one for one in added if one.kind is not ObservableKind.NETWORK)
        values = tuple({one.value for one in added if one.kind is not ObservableKind.NETWORK})
        if not values:
            return 0
        hunt = Hunt(since=until - PAST, until=until, any_observable=values)
        result = [found async for found in self._search.run(None, hunt)][-1]
        by_tenant: dict[UUID, list[EventHits]] = {}
        for one in result.found():
            hits = known.match(dict(one.event), until)
            if hits:
                by_tenant.setdefault(one.tenant_id, []).append(_past_hits(one, hits))
        for tenant_id in sorted(by_tenant):
            alerts = await self.matcher.record_in(conn, tenant_id, by_tenant[tenant_id])
            await self._alerts.raise_in(conn, alerts)
        return int(result.matches)


def _past_hits(one: FoundEvent, hits: list[Any]) -> EventHits:
    device = one.event.get("device")
    host = device.get("hostname", "") if isinstance(device, dict) else ""
    return EventHits(event_id=one.event_id, at=one.at, subject=str(host), hits=hits)


def _read(content: bytes, tlp: Tlp) -> Reading:
    """Return what a file holds: STIX where its content says so, else MISP."""
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise NotRead(N_("The file is not valid JSON."), N_("Export it again as JSON.")) from error
    is_stix = isinstance(value, dict) and (value.get("type") == "bundle" or "objects" in value)
    return read_stix(content, tlp) if is_stix else read_misp(content, tlp)
