"""Deliver flows and anomalies to the SOC: each to the member whose site it is, through the intake of the SOC."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import orjson

from esante.core import clock
from esante.core.storage import Connection as Conn
from esante.core.storage import Database
from esante.services.healthnet.sites.service import Sites
from esante.services.healthnet.supervision import measure_store
from esante.services.healthnet.supervision.measures import hour_of
from esante.services.healthnet.supervision.soc import delivery_store
from esante.services.healthnet.supervision.soc.ocsf import anomaly_event, flow_event

log = logging.getLogger(__name__)
BATCH = 500
"""Events of a request to the intake."""
KEPT_AFTER = timedelta(minutes=2)
"""An hour is delivered when its last measures have been kept."""
LONGEST_BEHIND = timedelta(hours=48)
"""Of what was not delivered for longer, only these last hours are."""
MemberOf = Callable[[str], Awaitable[UUID | None]]
"""Returns the member of the SOC with a provider code, None for a provider that is none."""
KeyOf = Callable[[UUID, bool], Awaitable[str]]
"""Returns the key with which events of a member are sent; True: another one, since that of before was refused."""


class SocDelivery:
    """Gives the SOC what is new; `url`: of its intake."""

    def __init__(self, db: Database, sites: Sites, url: str, member_of: MemberOf, key_of: KeyOf) -> None:
        self._db, self._sites, self._url = db, sites, url.rstrip("/")
        self._member_of, self._key_of = member_of, key_of

    async def run(self) -> None:
        """Deliver flows of hours that are over, and anomalies; what the intake does not take is sent again later."""
        async with self._db.transaction() as conn:
            if not await delivery_store.lock(conn):
                return
            members = await self._members()
            addresses = await delivery_store.fetch_addresses(conn)
            try:
                async with httpx.AsyncClient(timeout=30.0, trust_env=False) as http:
                    await self._deliver_anomalies(conn, http, members, addresses)
                    await self._deliver_flows(conn, http, members, addresses)
            except httpx.HTTPError as error:
                what = error.response.status_code if isinstance(error, httpx.HTTPStatusError) else type(error).__name__
                log.warning("the SOC's intake does not take events of the network: %s", what)

    async def _deliver_anomalies(
        self, conn: Conn, http: httpx.AsyncClient, members: Mapping[str, UUID], addresses: Mapping[str, str]
    ) -> None:
        now = clock.now()
        since = await self._since(conn, "anomalies", now)
        events: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
        for anomaly, is_raised in await delivery_store.fetch_changed(conn, since, now):
            if anomaly.site in members:
                said = replace(anomaly, ended_at=None) if is_raised else anomaly
                events[members[anomaly.site]].append(anomaly_event(said, addresses))
        await self._send_all(http, events)
        await delivery_store.keep_until(conn, "anomalies", now)

    async def _deliver_flows(
        self, conn: Conn, http: httpx.AsyncClient, members: Mapping[str, UUID], addresses: Mapping[str, str]
    ) -> None:
        now = clock.now()
        hour = hour_of(await self._since(conn, "flows", now))
        while hour + timedelta(hours=1) + KEPT_AFTER <= now:
            events: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
            for row in await measure_store.fetch_flows(conn, hour):
                if row["site"] in members:
                    event = flow_event(row["site"], row["other"], row["received"], row["sent"], hour, addresses)
                    events[members[row["site"]]].append(event)
            await self._send_all(http, events)
            hour += timedelta(hours=1)
            await delivery_store.keep_until(conn, "flows", hour)

    async def _since(self, conn: Conn, kind: str, now: datetime) -> datetime:
        """Return until when something was delivered; the first time, nothing of before is."""
        found = await delivery_store.fetch_until(conn, kind)
        if found is None:
            await delivery_store.keep_until(conn, kind, now)
            return now
        return max(found, now - LONGEST_BEHIND)

    async def _members(self) -> dict[str, UUID]:
        """Return the member of the SOC of each site that has one."""
        of_code: dict[str, UUID | None] = {}
        found = {}
        for site in await self._sites.live():
            if site.provider_code and site.provider_code not in of_code:
                of_code[site.provider_code] = await self._member_of(site.provider_code)
            if member := of_code.get(site.provider_code):
                found[site.key] = member
        return found

    async def _send_all(self, http: httpx.AsyncClient, events: Mapping[UUID, Sequence[dict[str, Any]]]) -> None:
        for member, found in events.items():
            for begin in range(0, len(found), BATCH):
                await self._send(http, member, found[begin : begin + BATCH])

    async def _send(self, http: httpx.AsyncClient, member: UUID, events: Iterable[dict[str, Any]]) -> None:
        """Send events of a member. Raises: httpx.HTTPError when the intake does not take them."""
        body = b"\n".join(orjson.dumps(one) for one in events)
        for is_new in (False, True):
            key = await self._key_of(member, is_new)
            headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}
            answer = await http.post(f"{self._url}/api/events", content=body, headers=headers)
            if answer.status_code == 429:
                await asyncio.sleep(min(10.0, float(answer.headers.get("Retry-After", "1"))))
                answer = await http.post(f"{self._url}/api/events", content=body, headers=headers)
            if answer.status_code != 401:
                break
        answer.raise_for_status()
