"""The budget of a scheme, and what it will probably need: pure.

The forecast is the mean of the last four decided quarters for each quarter that is left (docs/incentives.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from esante.services.incentives.decisions.model import NOTHING
from esante.services.incentives.schemes.model import CENT, Scheme
from esante.services.incentives.schemes.quarter import Quarter

MEAN_OF = 4
"""Quarters of which the mean is taken."""
FURTHEST = 8
"""Quarters ahead for a scheme without an end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A scheme's money: what it may give in all (None: no limit), gave, paid, and is expected to give until `until`.

    `quarters`: what each decided quarter gave, the oldest first.
    """

    scheme: Scheme
    decided: Decimal
    paid: Decimal
    expected: Decimal
    until: Quarter
    quarters: tuple[tuple[Quarter, Decimal], ...]

    @property
    def committed(self) -> Decimal:
        """What is decided and not paid yet."""
        return self.decided - self.paid

    @property
    def in_all(self) -> Decimal:
        """What it is expected to give in all."""
        return self.decided + self.expected

    @property
    def is_short(self) -> bool:
        """Whether the budget will probably be used up before the end."""
        return self.scheme.budget is not None and self.in_all >= self.scheme.budget > NOTHING


def budget_of(scheme: Scheme, given: Mapping[Quarter, Decimal], paid: Decimal, today: date) -> Budget:
    """Return the budget of a row. `given`: what each decided quarter gave."""
    quarters = tuple(sorted(given.items()))
    ends = scheme.valid_until or _ahead(Quarter.of(today), FURTHEST).last
    until, decided = Quarter.of(ends), sum(given.values(), NOTHING)
    following = quarters[-1][0].next if quarters else max(Quarter.of(today), Quarter.of(scheme.valid_from))
    left = max(0, (until.year - following.year) * 4 + until.number - following.number + 1)
    recent = [amount for _, amount in quarters[-MEAN_OF:]]
    mean = sum(recent, NOTHING) / len(recent) if recent else NOTHING
    expected = max(NOTHING, (mean * left).quantize(CENT, ROUND_HALF_UP))
    if scheme.budget is not None:
        expected = min(expected, max(NOTHING, scheme.budget - decided))
    return Budget(scheme=scheme, decided=decided, paid=paid, expected=expected, until=until, quarters=quarters)


def _ahead(quarter: Quarter, count: int) -> Quarter:
    for _ in range(count):
        quarter = quarter.next
    return quarter
