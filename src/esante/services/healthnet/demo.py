"""Demonstration data: a network of invented sites with a month of invented measures, and agents that only pretend."""

import random
from base64 import b64encode
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec

from esante.contract import DemoCountry, Platform
from esante.core import clock
from esante.core.clock import use_clock
from esante.core.storage import insert, uuid7, uuid8
from esante.core.types import Progress
from esante.core.web import Problem
from esante.identity.access import Requester
from esante.identity.directory import Address, Organization, Practitioner
from esante.services.healthnet.controller import connection_store
from esante.services.healthnet.controller.heartbeats import Heartbeat, PathReport
from esante.services.healthnet.controller.model import Connection
from esante.services.healthnet.controller.rollout import bundle_store
from esante.services.healthnet.controller.service import Controller
from esante.services.healthnet.controller.site_follower import Following
from esante.services.healthnet.sites.model import Contact, NetworkSite, SiteRequest
from esante.services.healthnet.sites.service import Sites
from esante.services.healthnet.supervision import anomaly_store, measure_store
from esante.services.healthnet.supervision.measures import DAY, HOUR, day_start, hour_of
from esante.services.healthnet.supervision.model import Anomaly
from esante.services.healthnet.supervision.policy_view import PolicyView
from esante.services.healthnet.supervision.works import PlannedWorks

_ANN, _BEN = (Requester(kind="operator", id=uuid8(name.encode()), name=name) for name in ("Mara Netz", "Luc Réseau"))
_IDENTITY = b"demonstration: no agent has it  "
"""The identity of sites whose agents only pretend: no key of a signature."""
_PRACTICES = 14
_DAYS = 35
_CLASSES = {"hospital": "large", "laboratory": "medium", "imaging": "medium"}
_HUBS = ("platform", "laboratory", "hospital", "imaging", "health_insurance")
_SITUATIONS = {5: "silent", 7: "slow", 9: "certificate"}
"""What is wrong with some of the practices, by their place in the list."""


async def load_network(platform: Platform, country: DemoCountry, progress: Progress) -> None:
    """Connect sites of the synthetic country; what was done before is not repeated."""
    if await platform[Sites].live():
        return
    now = clock.now()
    began = now - timedelta(days=_DAYS)
    await platform.journal.ensure_months(began, now)
    controller = platform[Controller]
    if not await controller.connections.has_policy():
        await controller.rollouts.begin(platform[PolicyView].packaged())
    with use_clock(lambda: began):
        sites = await _connect(platform, country)
        await platform[Following].follow()
        await _enrol(platform, sites)
        await platform[Following].follow()
    progress(1, 3, "network")
    await _measure(platform, [site.key for site in sites], country.seed)
    progress(2, 3, "network")
    await _invent_incidents(platform, country, sites)
    progress(3, 3, "network")


async def pretend(platform: Platform) -> None:
    """Send what the agents of demonstration sites would: a heartbeat of each, and that bundles were applied."""
    db = platform.db
    found = [one for one in await connection_store.fetch_connections(db) if one.identity == _IDENTITY]
    if not found or platform.get(Controller) is None:
        return
    now, rows = clock.now(), []
    situations = _situations(found)
    for one in found:
        situation = situations.get(one.facts.site, "")
        if situation == "silent" or one.is_suspended or one.is_revoked:
            continue
        content = msgspec.json.encode(_heartbeat(one, found, now, situation))
        rows.append((one.facts.site, now, int(now.timestamp()), one.serial, "1.0.0", content))
    await bundle_store.keep_statuses(db, rows)
    async with db.transaction() as conn:
        for one in found:
            if one.receipt_serial < one.serial and situations.get(one.facts.site) != "silent":
                await connection_store.keep_receipt(conn, one.facts.site, one.serial, "applied", "", one.serial)


def _situations(found: Iterable[Connection]) -> dict[str, str]:
    """Return what is wrong with which sites."""
    practices = [one.facts.site for one in found if one.facts.kind == "practice"]
    return {site: _SITUATIONS[place] for place, site in enumerate(practices) if place in _SITUATIONS}


def _heartbeat(one: Connection, all_of: Iterable[Connection], now: datetime, situation: str) -> Heartbeat:
    """Return an invented heartbeat: a practice has paths to hubs, a hub to all."""
    is_hub, own = one.facts.kind in _HUBS, one.facts.site
    paths = []
    for other in all_of:
        name = other.facts.site
        if name == own or not (is_hub or other.facts.kind in _HUBS):
            continue
        maker = random.Random(f"{min(own, name)}{max(own, name)}{int(now.timestamp()) // 15}")  # noqa: S311 - invented
        base = 4 + sha256(f"{min(own, name)}{max(own, name)}".encode()).digest()[0] % 18
        slow = 220 if situation == "slow" else 0
        seconds = int(now.timestamp()) % 10_000_000
        paths.append(
            PathReport(
                site=name,
                latency_ms=base + slow + maker.randrange(6),
                loss=maker.choice((0, 0, 0, 0, 0, 0, 0, 0, 0, 1)),
                handshake_age_s=maker.randrange(120),
                rx_bytes=seconds * (300 + base * 90),
                tx_bytes=seconds * (150 + base * 40),
                mtu=1420,
            )
        )
    left = timedelta(hours=30) if situation == "certificate" else timedelta(days=6)
    return Heartbeat(
        version="1.0.0",
        serial=one.serial,
        certificate_not_after=int((now + left).timestamp()),
        paths=tuple(paths),
    )


async def _connect(platform: Platform, country: DemoCountry) -> list[NetworkSite]:
    """Ask for sites of the agency, of institutions and of practices, and approve them."""
    sites, found = platform[Sites], []
    for name in ("Centre de calcul A (fictif)", "Centre de calcul B (fictif)"):
        request = _request("", name, Address("1, rue Inventée", "L-1234", "Luxembourg"), "large", "Equipe réseau")
        found.append(await sites.request_platform(_ANN, name, request))
    holders: list[Organization | Practitioner] = [
        one for one in country.organizations.values() if one.kind in (*_HUBS, "pharmacy", "care_network")
    ]
    holders += [one for one in country.practitioners if _code(platform, one)][:_PRACTICES]
    for holder in holders:
        code = _code(platform, holder)
        kind = getattr(holder, "kind", "practice")
        address = getattr(holder, "address", None)
        if not code:
            continue
        place = (
            address if address and address.line and address.city else Address("7, rue Inventée", "L-4321", _town(code))
        )
        request = _request(code, "Site principal", place, _CLASSES.get(kind, "small"), "Accueil (fictif)")
        try:
            found.append(await sites.request(_ANN, request))
        except Problem:
            continue
    return [await sites.decide(_BEN, one.site_id, approved=True) for one in found]


def _request(code: str, label: str, address: Address, service_class: str, contact: str) -> SiteRequest:
    place = Address(address.line[:120], address.postal_code or "L-1234", address.city[:80])
    whom = Contact(name=contact, phone="+352 000 000", email="reseau@example.org")
    return SiteRequest(provider_code=code, label=label, address=place, service_class=service_class, contact=whom)


def _code(platform: Platform, holder: Organization | Practitioner) -> str:
    from esante.identity.directory import catalogue

    system = catalogue().system("provider_code").uri
    return next((one.value for one in holder.identifiers if one.system == system), "")


def _town(code: str) -> str:
    towns = ("Luxembourg", "Esch-sur-Alzette", "Ettelbruck", "Diekirch", "Wiltz", "Echternach", "Remich", "Mersch")
    return towns[int(code) % len(towns)]


async def _enrol(platform: Platform, sites: Sequence[NetworkSite]) -> None:
    """Let pretended agents enrol."""
    async with platform.db.transaction() as conn:
        for site in sites:
            token_id = uuid7()
            expires = clock.now() + timedelta(days=7)
            await insert(conn, [(connection_store.TOKEN, (token_id, site.key, expires))])
            await connection_store.enrol(conn, token_id, site.key, _IDENTITY)
            key = b64encode(sha256(f"demonstration {site.key}".encode()).digest()).decode()
            await insert(conn, [(connection_store.TUNNEL_KEY, (site.key, 1, key, clock.now()))])


async def _measure(platform: Platform, sites: Sequence[str], seed: int) -> None:
    """Keep a month of invented measures of each site."""
    maker, now, rows = random.Random(seed), clock.now(), []  # noqa: S311 - invented
    for key in sites:
        base = 8 + maker.randrange(14)
        days: dict[datetime, list[Any]] = {}
        for hours in range(31 * 24, 0, -1):
            starts = hour_of(now - timedelta(hours=hours))
            busy = 0.15 + (0.85 if 8 <= starts.hour < 18 and starts.weekday() < 5 else 0.0)
            latency = base + 6 * busy + maker.random() * 3
            volume = int(3600 * 9_000 * busy * (0.8 + 0.4 * maker.random()))
            values = [120, latency * 240, 240, latency * 1.8, maker.random() * 0.4, 240, volume, volume // 3]
            rows.append((key, HOUR, "", starts, *values))
            day = days.setdefault(day_start(starts), [0, 0.0, 0, 0.0, 0.0, 0, 0, 0])
            for place, value in enumerate(values):
                day[place] = max(day[place], value) if place == 3 else day[place] + value
        rows += [(key, DAY, "", starts, *values) for starts, values in days.items()]
    async with platform.db.transaction() as conn:
        await measure_store.add_measures(conn, rows)
        await insert(conn, [(measure_store.WATCH, (uuid7(), now - timedelta(days=_DAYS), now))])


async def _invent_incidents(platform: Platform, country: DemoCountry, sites: Sequence[NetworkSite]) -> None:
    """Invent outages, a quarantine, works, requests that wait, and a second policy."""
    now, register = clock.now(), platform[Sites]
    practices = [one for one in sites if one.kind == "practice"]
    anomalies = [
        Anomaly(
            anomaly_id=uuid7(),
            site=site.key,
            other="",
            rule="silent",
            level=3,
            value=180.0,
            began_at=now - timedelta(days=3 * number + 2),
            raised_at=now - timedelta(days=3 * number + 2) + timedelta(minutes=3),
            ended_at=now - timedelta(days=3 * number + 2) + timedelta(hours=2 + 3 * number),
        )
        for number, site in enumerate(practices[:4])
    ]
    async with platform.db.transaction() as conn:
        await insert(conn, [anomaly_store.anomaly_row(one) for one in anomalies])
    if len(practices) > 3:
        await register.quarantine(
            _ANN, practices[3].site_id, "Malicious software was found (invented).", quarantined=True
        )
    begin = now + timedelta(days=9)
    await platform[PlannedWorks].announce(
        _ANN, "", begin, begin + timedelta(hours=2), "Routeurs remplacés au centre de calcul (exemple inventé)"
    )
    for holder in [one for one in country.practitioners if _code(platform, one)][:3]:
        code = _code(platform, holder)
        request = _request(
            code, "Cabinet secondaire", Address("3, rue Inventée", "L-9999", _town(code)), "small", "Accueil"
        )
        await register.request(_ANN, request)
    text = (
        platform[PolicyView].packaged().replace("title: National health network", "title: National health network 2")
    )
    await platform[Controller].rollouts.begin(text, soak=20, actor=_ANN.actor)
