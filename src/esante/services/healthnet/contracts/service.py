"""The use cases of contracts: they follow the register of sites; what was delivered of them in a month."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time

from esante.core import clock
from esante.core.journal import Consumer, Entry, Event, Journal
from esante.core.storage import Connection as Conn
from esante.core.storage import Database, Row, insert, uuid7
from esante.core.time_zone import day_of, time_zone
from esante.core.web import N_, Problem
from esante.services.healthnet.contracts import contract_store, rules
from esante.services.healthnet.contracts.model import Contract, ContractBegun, ContractEnded, Delivered
from esante.services.healthnet.contracts.terms import sla_terms_on
from esante.services.healthnet.sites.model import NetworkSite, SiteChanged, SiteEnded, SiteEnrolled
from esante.services.healthnet.sites.service import Sites
from esante.services.healthnet.sites.service_classes import service_classes
from esante.services.healthnet.supervision import anomaly_store, measure_store
from esante.services.healthnet.supervision.model import Anomaly, PlannedWork, Span

SILENT = "silent"
"""The rule of anomalies that says that a site was not available."""


class Contracts:
    """Contracts of sites, and what was delivered."""

    def __init__(self, db: Database, journal: Journal, sites: Sites) -> None:
        self._db, self._journal, self._sites = db, journal, sites

    @property
    def consumer(self) -> Consumer:
        """The consumer of the journal: a contract begins with the connection of a site, and ends with it."""
        return Consumer("healthnet.contracts", (SiteEnrolled, SiteChanged, SiteEnded), self._follow)

    async def of_site(self, site: str) -> list[Contract]:
        """Return the contracts of a site, the newest first."""
        return await contract_store.fetch_of_site(self._db, site)

    async def delivered(self, site: str, month: date) -> list[Delivered]:
        """Return what was delivered of the contracts of a site in a month (its first day), the oldest first."""
        begin, end = month_bounds(month)
        contracts = [one for one in await self.of_site(site) if _touches(one, begin, end)]
        return await self._delivered(contracts[::-1], month)

    async def months(self, site: str) -> list[date]:
        """Return the months in which a site had a contract, the newest first, two years at most."""
        contracts = await self.of_site(site)
        if not contracts:
            return []
        last = day_of(min(contracts[0].ends_at or clock.now(), clock.now())).replace(day=1)
        first = day_of(contracts[-1].begins_at).replace(day=1)
        found = [last]
        while found[-1] > first and len(found) < 24:
            found.append(month_before(found[-1]))
        return found

    async def of_month(self, month: date, text: str, after: str, limit: int | None) -> list[Delivered]:
        """Return what was delivered to all sites in a month, by site, those after a key; `text`: a part of a key."""
        begin, end = month_bounds(month)
        contracts = await contract_store.fetch_between(self._db, begin, end, after, limit, text)
        return await self._delivered(contracts, month)

    async def _delivered(self, contracts: Sequence[Contract], month: date) -> list[Delivered]:
        begin, end = month_bounds(month)
        now = clock.now()
        if not contracts or begin >= now:
            return []
        sites = sorted({one.site for one in contracts})
        watched = await measure_store.fetch_watched(self._db, begin, min(end, now))
        silences: dict[str, list[Anomaly]] = defaultdict(list)
        for one in await anomaly_store.fetch_of_rule(self._db, SILENT, begin, end, sites):
            silences[one.site].append(one)
        works = await anomaly_store.fetch_works(self._db, begin, end)
        return [_result(one, month, watched, silences[one.site], works, now) for one in contracts]

    async def _follow(self, conn: Conn, entries: list[Entry]) -> None:
        for entry in entries:
            match entry.event:
                case SiteEnded():
                    await self._end(conn, entry.event.site, entry.at)
                case SiteEnrolled():
                    if not any(
                        one.ends_at is None for one in await contract_store.fetch_of_site(conn, entry.event.site)
                    ):
                        await self._begin(conn, entry.event.site, entry.at)
                case SiteChanged() if "service_class" in entry.event.fields:
                    if await self._end(conn, entry.event.site, entry.at):
                        await self._begin(conn, entry.event.site, entry.at)

    async def _begin(self, conn: Conn, key: str, at: datetime) -> None:
        site = await self._sites.by_key(key)
        if site is None or site.ended_at is not None:
            return
        contract = contract_of(site, at)
        event = ContractBegun(
            site=key,
            contract_id=contract.contract_id,
            service_class=contract.service_class,
            monthly_price=str(contract.monthly_price),
        )
        await self._keep(conn, [contract_store.contract_row(contract)], event)

    async def _end(self, conn: Conn, key: str, at: datetime) -> bool:
        ended = await contract_store.end_contract(conn, key, at)
        if ended is not None:
            await self._keep(conn, [], ContractEnded(site=key, contract_id=ended.contract_id))
        return ended is not None

    async def _keep(self, conn: Conn, rows: Iterable[Row], event: Event) -> None:
        await insert(conn, [*rows, *self._journal.rows(event)])


def contract_of(site: NetworkSite, at: datetime) -> Contract:
    """Return the contract that begins for a site, with the terms of its class of service."""
    terms = service_classes()[site.service_class]
    return Contract(
        contract_id=uuid7(),
        site=site.key,
        service_class=terms.key,
        label=terms.label,
        down=terms.down,
        up=terms.up,
        availability=terms.availability,
        monthly_price=terms.monthly_price,
        legal_source=terms.legal_source,
        is_verified=terms.is_verified,
        is_sample=terms.is_sample,
        begins_at=at,
    )


def parse_month(text: str) -> date:
    """Return the first day of a month that is written 2027-03. Raises: Problem 404."""
    try:
        if len(text) != 7:
            raise ValueError(text)
        return date.fromisoformat(f"{text}-01")
    except ValueError as error:
        raise Problem(404, "not-found", N_("There is no such month.")) from error


def month_bounds(month: date) -> Span:
    """Return a month of civil time, from its first day to the first day of the next."""
    following = date(month.year + month.month // 12, month.month % 12 + 1, 1)
    begin, end = (datetime.combine(day, time(), time_zone()).astimezone(UTC) for day in (month, following))
    return Span(begin, end)


def month_before(month: date) -> date:
    """Return the first day of the month before."""
    return date(month.year - (month.month == 1), (month.month - 2) % 12 + 1, 1)


def _touches(contract: Contract, begin: datetime, end: datetime) -> bool:
    return contract.begins_at < end and (contract.ends_at is None or contract.ends_at > begin)


def _result(
    contract: Contract,
    month: date,
    watched: Sequence[Span],
    silences: Sequence[Anomaly],
    works: Sequence[PlannedWork],
    now: datetime,
) -> Delivered:
    begin, end = month_bounds(month)
    terms = sla_terms_on(month)
    expected = rules.common([Span(begin, min(end, now))], [Span(contract.begins_at, contract.ends_at or now)])
    planned = rules.common(expected, rules.in_time((w for w in works if w.site in ("", contract.site)), terms.notice))
    measured = rules.without(rules.common(expected, watched), planned)
    outages = rules.common(measured, [Span(one.began_at, one.ended_at or now) for one in silences])
    share = rules.availability(rules.length(measured), rules.length(outages))
    return Delivered(
        contract=contract,
        month=month,
        expected=rules.length(expected),
        measured=rules.length(measured),
        planned=rules.length(planned),
        down=rules.length(outages),
        outages=tuple(outages),
        availability=share,
        credit=rules.credit(contract.monthly_price, contract.availability, share, terms.credits),
        is_over=end <= now,
    )
