"""The consumer of the journal that keeps evidence, its withdrawal, and the labels of software."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from esante.core.disclosure import StatisticsKey
from esante.core.journal import Consumer, Entry, Journal, advance
from esante.core.storage import Connection, Database, Row, insert
from esante.core.time_zone import day_of
from esante.identity.directory import Directory, Practitioner, catalogue
from esante.services.incentives.evidence import evidence_store
from esante.services.incentives.evidence.model import Evidence, Label, PracticeConnected
from esante.services.incentives.evidence.sources import Source, Sources, Withdrawal
from esante.services.incentives.schemes.quarter import Quarter

_LONGEST_NAME = 200
_PAGE = 1_000
_READER = "incentives.evidence"
_TRIES, _PAUSE = 20, 0.25
"""How often, and with what pause (seconds), it is looked whether another process has read everything."""


class EvidenceReader:
    """What the journal holds of evidence, kept in own tables; each entry once."""

    def __init__(
        self, db: Database, journal: Journal, directory: Directory, key: StatisticsKey, sources: Sources
    ) -> None:
        self._db, self._journal, self._directory, self._key = db, journal, directory, key
        self.sources = sources

    @property
    def consumer(self) -> Consumer:
        """The consumer of the journal."""
        return Consumer(_READER, self.sources.events, self._keep)

    async def catch_up(self) -> None:
        """Read everything that is sealed by now.

        Raises: RuntimeError when another process has not done so in time, or reading fails: what is missing would
        never be paid.
        """
        head = await self._journal.head()
        for _ in range(_TRIES):
            while await advance(self._db, self.consumer):
                pass
            readers = (await self._journal.state())["consumers"]
            if head is None or any(one["reader"] == _READER and one["seq"] >= head.size for one in readers):
                return
            await asyncio.sleep(_PAUSE)
        raise RuntimeError("the evidence in the journal is not read to its end")

    async def documents(
        self, provider_code: str, quarter: Quarter | None
    ) -> AsyncIterator[tuple[Evidence, date | None]]:
        """Yield the documents of a professional by their keys, each with the day on which it was taken back."""
        first, last = (quarter.first, quarter.last) if quarter else (date.min, date.max)
        after = None
        while found := await evidence_store.fetch_documents(self._db, provider_code, first, last, after, _PAGE):
            for one in found:
                yield one
            after = found[-1][0].document_id

    async def _keep(self, conn: Connection, entries: list[Entry]) -> None:
        found = [one for one in entries if one.event is not None and getattr(one.event, "allowed", True)]
        professionals = await self._professionals(found)
        evidence = [one for entry in found for one in self._evidence(entry, professionals)]
        await insert(conn, [evidence_store.evidence_row(one) for one in evidence])
        await insert(conn, [*self._withdrawals(found)])
        await self._keep_labels(conn, found)
        await self._connect(conn, evidence)

    async def _professionals(self, entries: Iterable[Entry]) -> dict[UUID, Practitioner]:
        """Return the professionals of entries that are evidence."""
        keys = {
            key for entry in entries for source in self._sources_of(entry) if (key := _professional(source, entry))
        }
        return await self._directory.practitioners(keys)

    def _sources_of(self, entry: Entry) -> list[Source]:
        return [one for one in self.sources.source if one.event == entry.type]

    def _evidence(self, entry: Entry, professionals: dict[UUID, Practitioner]) -> Iterator[Evidence]:
        """Yield the documents of an entry; none of a professional without a provider code."""
        for source in self._sources_of(entry):
            professional = professionals.get(_professional(source, entry) or entry.id)
            code = str(getattr(entry.event, source.provider_code, "") or "") if source.provider_code else ""
            code = code or (provider_code_of(professional) if professional else "")
            if not code:
                continue
            payee = str(getattr(entry.event, source.payee_code, "") or "") if source.payee_code else ""
            for document_id in _documents(source, entry.event):
                yield Evidence(
                    kind=source.kind,
                    document_id=document_id,
                    provider_code=code,
                    payee_code=payee or code,
                    profession=_profession(source, entry, professional),
                    on_day=day_of(entry.at),
                    client_id=entry.actor.client_id[:_LONGEST_NAME],
                    software=entry.actor.client[:_LONGEST_NAME],
                    patient_key=self._key.pseudonym_of(str(entry.person_id)),
                    amount=_euros(getattr(entry.event, source.amount, None)) if source.amount else None,
                    seq=entry.seq or 0,
                )

    def _withdrawals(self, entries: Iterable[Entry]) -> Iterator[Row]:
        for entry in entries:
            for one in self.sources.withdrawal:
                if one.event == entry.type:
                    for document_id in _documents(one, entry.event):
                        yield evidence_store.withdrawal_row(one.kind, document_id, day_of(entry.at), entry.seq or 0)

    async def _keep_labels(self, conn: Connection, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if entry.type == self.sources.labels["granted"]:
                await evidence_store.keep_label(conn, _label(entry))
            elif entry.type == self.sources.labels["ended"]:
                await evidence_store.end_label(conn, entry.event.version_id, day_of(entry.at))

    async def _connect(self, conn: Connection, evidence: Sequence[Evidence]) -> None:
        """Journal the first evidence of each professional with each software."""
        first: dict[tuple[str, str, str], date] = {}
        for one in evidence:
            key = one.kind, one.provider_code, one.software
            first[key] = min(one.on_day, first.get(key, one.on_day))
        rows: list[Row] = []
        for kind, code, software in await evidence_store.add_connections(conn, first):
            rows += self._journal.rows(PracticeConnected(provider_code=code, kind=kind, software=software))
        await insert(conn, rows)


def provider_code_of(holder: Any) -> str:
    """Return the provider code of a professional or an organisation, "" for none."""
    system = catalogue().system("provider_code").uri
    return next((one.value for one in holder.identifiers if one.system == system), "")


def _professional(source: Source, entry: Entry) -> UUID | None:
    if source.professional == "actor":
        return entry.actor.id if entry.actor.kind == "practitioner" else None
    found = getattr(entry.event, source.professional, None)
    return found if isinstance(found, UUID) else None


def _profession(source: Source, entry: Entry, professional: Practitioner | None) -> str:
    """Return the profession in which somebody acted, or else that of the directory."""
    if source.professional == "actor" and entry.actor.role:
        return entry.actor.role
    return professional.profession if professional else ""


def _documents(source: Source | Withdrawal, event: Any) -> Iterator[UUID]:
    """Yield the keys of the documents that an event names; of resources, those of the source's type."""
    found = getattr(event, source.documents, ())
    for one in found if isinstance(found, tuple | list) else (found,):
        if isinstance(one, UUID) and not source.prefix:
            yield one
        elif isinstance(one, str) and source.prefix and one.startswith(source.prefix):
            yield UUID(one.removeprefix(source.prefix))


def _label(entry: Entry) -> Label:
    event = entry.event
    return Label(
        version_id=event.version_id,
        kit=event.kit,
        product=event.product,
        version=event.version,
        vendor_id=event.vendor_id,
        vendor=event.vendor,
        clients=frozenset(event.clients),
        since=day_of(entry.at),
        until=_day(event.until),
        ended_on=None,
    )


def _day(value: date | datetime | None) -> date | None:
    return day_of(value) if isinstance(value, datetime) else value


def _euros(value: Any) -> Decimal | None:
    """Return an amount of an event, which carries money as text or as a decimal."""
    return Decimal(value).quantize(Decimal("0.01")) if isinstance(value, str | Decimal) and value else None
