"""The use cases of the budget, and of the public figures: software in use, incentives given."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from esante.core.disclosure import StatisticsKey, noise, rule_on
from esante.core.storage import Database
from esante.core.time_zone import today
from esante.identity.access import Requester, require_operator
from esante.services.incentives.budget.rules import Budget, budget_of
from esante.services.incentives.decisions import decision_store
from esante.services.incentives.decisions.model import NOTHING
from esante.services.incentives.evidence import evidence_store
from esante.services.incentives.evidence.model import Labels
from esante.services.incentives.payments import payment_store
from esante.services.incentives.schemes.model import Scheme, SchemeId
from esante.services.incentives.schemes.quarter import Quarter

FEE_NOTE = "fee_note"
RECENT = timedelta(days=92)
"""How long ago a practice sent its last document that counts as connected."""


@dataclass(frozen=True, slots=True)
class SoftwareUse:
    """How many practices are connected by a software; None: too few to be shown."""

    software: str
    practices: int | None


@dataclass(frozen=True, slots=True)
class GivenIncentives:
    """What a scheme gave in a quarter; None: to too few payees to be shown."""

    scheme: Scheme
    quarter: str
    amount: Decimal | None


class Budgets:
    """The money of schemes."""

    def __init__(self, db: Database, schemes: Sequence[Scheme], key: StatisticsKey) -> None:
        self._db, self._schemes, self._key = db, schemes, key

    async def show(self, requester: Requester) -> list[Budget]:
        """Return the budget of each row, by scheme and first day. Raises: Problem 403 for others than operators."""
        require_operator(requester)
        given: dict[SchemeId, dict[Quarter, Decimal]] = defaultdict(dict)
        for key, row_from, quarter, amount, _, _ in await decision_store.sum_by_scheme(self._db):
            given[key, row_from][Quarter.parse(quarter)] = amount
        paid: dict[str, Decimal] = defaultdict(lambda: NOTHING)
        for key, _, amount in await payment_store.sum_paid(self._db):
            paid[key] += amount
        budgets = []
        for scheme in self._schemes:
            own = given.get(scheme.id, {})
            part = min(sum(own.values(), NOTHING), paid[scheme.key])
            paid[scheme.key] -= part
            budgets.append(budget_of(scheme, own, part, today()))
        return budgets

    async def software(self) -> list[SoftwareUse]:
        """Return how many practices are connected by each software, protected, the most used first; for everybody."""
        rule, day = rule_on(today()), today()
        labels, codes = Labels(await evidence_store.fetch_labels(self._db)), defaultdict[str, set[str]](set)
        for kit in {one.kit for one in self._schemes if one.evidence == FEE_NOTE}:
            for client, software, found in await evidence_store.count_connected(self._db, FEE_NOTE, day - RECENT):
                codes[labels.on(kit, client, day)[1] or software or client] |= {*found}
        uses = []
        for name, practices in codes.items():
            key = sum(self._key.pseudonym_of(one) for one in practices)
            shown = len(practices) + noise(len(practices), key, rule, self._key)
            is_small = len(practices) < rule.threshold or shown < rule.threshold
            uses.append(SoftwareUse(name, None if is_small else shown))
        return sorted(uses, key=lambda one: (-(one.practices or 0), one.software))

    async def given(self) -> list[GivenIncentives]:
        """Return what each scheme gave in each confirmed quarter, the newest first, without what few payees got."""
        rule, by_id = rule_on(today()), {one.id: one for one in self._schemes}
        found = []
        for key, row_from, quarter, amount, _, payees in await decision_store.sum_by_scheme(self._db):
            if (key, row_from) in by_id:
                shown = amount if len(payees) >= rule.threshold else None
                found.append(GivenIncentives(by_id[key, row_from], quarter, shown))
        return sorted(found, key=lambda one: (one.quarter, one.scheme.key), reverse=True)
