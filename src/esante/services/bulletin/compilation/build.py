"""Makes the vintages of a build: each month whose source changed is counted, protected and kept as a new vintage."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from esante.core.journal import Actor, Checkpoint, Journal
from esante.core.storage import Database, insert
from esante.services.bulletin.compilation.anomalies import moves
from esante.services.bulletin.compilation.indicator_spec import Recipe
from esante.services.bulletin.compilation.monthly_counts import Counted, Months, Source, shifted
from esante.services.bulletin.compilation.pseudonyms import BulletinKey
from esante.services.bulletin.disclosure.intruder_audit import Month
from esante.services.bulletin.disclosure.suppression import Place, protect
from esante.services.bulletin.model import (
    LATE_EVENTS,
    BulletinChanged,
    Finding,
    Flag,
    Guarded,
    ReleaseState,
    Vintage,
    VintageStatus,
)
from esante.services.bulletin.releases import vintage_store
from esante.services.bulletin.releases.vintage_store import Made

FINAL_AFTER = 3
"""Months after which the figures of a month are final."""
_PUBLIC = (ReleaseState.APPROVED, ReleaseState.RELEASED)


class Order(NamedTuple):
    """What is to be built: the month of the issue, for whom, why, from which head of the journal, by which recipe."""

    period: str
    by: str
    reason: str
    head: Checkpoint
    recipe: Recipe
    recipe_digest: bytes


def hidden_in(cells: Iterable[Guarded]) -> set[Place]:
    """The places that are hidden."""
    return {guarded.cell.place for guarded in cells if guarded.cell.flag is Flag.SUPPRESSED}


class Builder:
    """One build; remembers what is published beside the month at hand."""

    def __init__(self, db: Database, journal: Journal, key: BulletinKey, months: Months, order: Order) -> None:
        self._db, self._journal, self._key, self._months, self._order = db, journal, key, months, order
        self._made: dict[str, Made] = {}
        self._states: dict[tuple[str, int], ReleaseState] = {}
        self._cells: dict[tuple[str, int], list[Guarded]] = {}

    async def begin(self) -> None:
        """Look at what there is."""
        self._made = await vintage_store.made(self._db)
        for release in await vintage_store.releases(self._db):
            newest = self._made[release.period].number == release.number
            if newest or release.state in _PUBLIC:
                key = release.period, release.number
                self._states[key] = release.state
                self._cells[key] = await vintage_store.guarded(self._db, *key)

    async def vintage(self, sources: Mapping[str, Source], period: str) -> Vintage | None:
        """The new vintage of a month; None where the last one still stands."""
        made = self._made.get(period)
        if made is not None and not self._due(made, sources[period]):
            return None
        counted = await self._months.count(sources, period, self._order.head.sealed_at)
        number = made.number + 1 if made else 1
        guarded = self._protected(period, number, counted)
        status = self._status(made, period, guarded)
        if made and status is made.status and guarded == self._cells[period, made.number]:
            return None
        found = [*counted.findings, *self._moves(period, counted), *_late(made, sources[period])]
        return await self._keep(self._new(period, number, status, sources[period]), guarded, found)

    def _due(self, made: Made, source: Source) -> bool:
        """Whether a month must be counted again. What is public is counted by another recipe for a reason only."""
        order = self._order
        if made.recipe != order.recipe_digest and self._public(made) and not order.reason:
            return False
        final = made.status is VintageStatus.PROVISIONAL and self._old(made.period)
        return final or made.source != source.digest or made.recipe != order.recipe_digest

    def _public(self, made: Made) -> bool:
        return self._states[made.period, made.number] in _PUBLIC

    def _old(self, period: str) -> bool:
        return period <= shifted(self._order.period, -FINAL_AFTER)

    def _status(self, made: Made | None, period: str, guarded: Sequence[Guarded]) -> VintageStatus:
        if made and (made.status is VintageStatus.REVISED or self._public(made)):
            before = [old.cell for old in self._cells[period, made.number]]
            if before != [new.cell for new in guarded] or made.status is VintageStatus.REVISED:
                return VintageStatus.REVISED
        return VintageStatus.FINAL if self._old(period) else VintageStatus.PROVISIONAL

    def _protected(self, period: str, number: int, counted: Counted) -> list[Guarded]:
        """The guarded cells, made so that they give nothing away beside the months around and earlier vintages."""
        around = {shifted(period, -1), shifted(period, 1)}
        earlier, hidden = [], set[Place]()
        for (other, vintage), cells in self._cells.items():
            public = self._states[other, vintage] in _PUBLIC
            if other in around or (other == period and public):
                earlier.append(Month(other, vintage, cells, self._order.recipe.rule(other)))
            if other == period and public:
                hidden |= hidden_in(cells)
        return protect(
            period, counted.counts, self._order.recipe, self._key, hidden=hidden, earlier=earlier, number=number
        )

    def _moves(self, period: str, counted: Counted) -> list[Finding]:
        before = [
            {g.cell.indicator: g.exact for g in self._cells[other, made.number] if not g.cell.breakdown and g.exact}
            for other, made in sorted(self._made.items())
            if other < period and (other, made.number) in self._cells
        ]
        return moves(period, self._order.recipe.indicators, counted.counts, before)

    def _new(self, period: str, number: int, status: VintageStatus, source: Source) -> Made:
        order = self._order
        reason = order.reason or (LATE_EVENTS if status is VintageStatus.REVISED else "")
        return Made(
            period=period,
            number=number,
            as_of=order.head.sealed_at,
            status=status,
            method=order.recipe.method,
            reason=reason if number > 1 else "",
            seq=order.head.size,
            source=source.digest,
            recipe=order.recipe_digest,
            digest=b"",
        )

    async def _keep(self, made: Made, guarded: list[Guarded], findings: Sequence[Finding]) -> Vintage:
        vintage = vintage_store.as_vintage(made, [cell for cell, _, _ in guarded])
        made = made._replace(digest=vintage_store.digest_of(vintage))
        told = BulletinChanged(
            period=made.period,
            number=made.number,
            state=ReleaseState.BUILT.value,
            digest=made.digest.hex(),
            reason=made.reason,
        )
        actor = Actor(kind="operator", name=self._order.by)
        async with self._db.transaction() as conn:
            await insert(conn, vintage_store.rows(made, guarded, findings, self._order.by))
            await insert(conn, self._journal.rows(told, actor=actor))
        self._made[made.period] = made
        self._states[made.period, made.number] = ReleaseState.BUILT
        self._cells[made.period, made.number] = guarded
        return vintage


def _late(made: Made | None, source: Source) -> list[Finding]:
    """How many events of the month came after its last vintage."""
    late = sum(part.events for part in source.parts if made and part.first_seq > made.seq)
    return [Finding(period=source.period, code="late", subject="events", found=late, serious=False)] if late else []
