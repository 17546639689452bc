"""The facts on which the decision of a quarter depends, read from the tables of evidence, claims and lines."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import date, datetime

from esante.core.storage import Database
from esante.services.incentives.appeals import appeal_store
from esante.services.incentives.claims import claim_store
from esante.services.incentives.decisions import decision_store, rules
from esante.services.incentives.decisions.model import Facts, Line, LineKey
from esante.services.incentives.evidence import evidence_store
from esante.services.incentives.evidence.model import DayCount, Labels
from esante.services.incentives.schemes.model import Scheme, SchemeId, Unit
from esante.services.incentives.schemes.quarter import Quarter


class FactLoader:
    """Reads the facts of a quarter."""

    def __init__(self, db: Database, schemes: Sequence[Scheme]) -> None:
        self._db, self._schemes = db, schemes

    async def load(
        self, quarter: Quarter, upto: int, at: datetime, note: Callable[[int], Awaitable[None]] | None = None
    ) -> tuple[Facts, Labels]:
        """Return the facts of a quarter up to a leaf of the journal and a moment, and the labels.

        `note` gets the steps done.
        """
        claims = await claim_store.fetch_open(self._db, quarter.last, str(quarter))
        counts: dict[SchemeId, list[DayCount]] = {}
        for done, scheme in enumerate(self._schemes, 2):
            if scheme.overlaps(quarter.first, quarter.last):
                claimed = {one.provider_code for one in claims if one.scheme == scheme.key}
                providers = claimed if scheme.unit is Unit.INSTALLATION else None
                counts[scheme.id] = await self._count(scheme, quarter, upto, providers)
            if note:
                await note(done)
        decided = await decision_store.decided_amounts(self._db, str(quarter))
        recounted = await self._recounted(quarter, upto, [key for key, amount in decided.items() if amount > 0])
        by_id = {one.id: one for one in self._schemes}
        recounts = {
            (row, earlier): await self._count(by_id[row], earlier, upto, codes)
            for (row, earlier), codes in recounted.items()
        }
        paid = await claim_store.fetch_some(self._db, [key.claim_id for key in decided if key.claim_id])
        facts = Facts(
            counts=counts,
            claims=claims,
            decided=decided,
            recounts=recounts,
            recounted=recounted,
            upheld=await appeal_store.fetch_upheld(self._db, str(quarter), at),
            paid_claims=paid,
        )
        return facts, Labels(await evidence_store.fetch_labels(self._db))

    async def so_far(self, scheme: Scheme, quarter: Quarter, upto: int, codes: Sequence[str]) -> list[Line]:
        """Return the lines of a row for professionals in a quarter that has not ended, without limits and claims."""
        counts = await self._count(scheme, quarter, upto, codes)
        decided = await decision_store.decided_amounts(self._db, str(quarter.next), codes)
        labels = Labels(await evidence_store.fetch_labels(self._db))
        return rules.entitlements(scheme, quarter, counts, (), labels, decided)

    async def _count(
        self, scheme: Scheme, quarter: Quarter, upto: int, providers: Collection[str] | None
    ) -> list[DayCount]:
        """Return the documents of a row in a quarter; of what is paid once, those since the row began."""
        since = quarter.first if scheme.unit is Unit.DOCUMENT else scheme.valid_from
        days = max(since, scheme.valid_from), min(quarter.last, scheme.valid_until or date.max)
        return await evidence_store.count_days(self._db, scheme.evidence, days, upto, scheme.professions, providers)

    async def _recounted(
        self, quarter: Quarter, upto: int, decided: Sequence[LineKey]
    ) -> dict[tuple[SchemeId, Quarter], frozenset[str]]:
        """Return by row and earlier quarter the professionals of whom documents were taken back since."""
        before = await decision_store.last_confirmed_seq(self._db, str(quarter))
        gone: dict[str, set[str]] = {}
        for kind in {one.evidence for one in self._schemes}:
            gone[kind] = await evidence_store.withdrawn_since(self._db, kind, quarter.first, before, upto)
        kinds = {one.id: one.evidence for one in self._schemes}
        found: dict[tuple[SchemeId, Quarter], set[str]] = defaultdict(set)
        for key in decided:
            if key.scheme in kinds and key.provider_code in gone[kinds[key.scheme]]:
                found[key.scheme, key.of_quarter].add(key.provider_code)
        return {key: frozenset(codes) for key, codes in found.items()}
