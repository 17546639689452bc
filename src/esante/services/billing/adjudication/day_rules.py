"""What is in force in a span of days: rules by their keys, rates in their order, letters, acts with their prices."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from esante.services.billing.adjudication.terms import RuleInForce
from esante.services.billing.nomenclature import Act, Nomenclature, NoTariff, Surcharge
from esante.services.billing.nomenclature.model import SurchargeTerms

Checks = tuple[tuple[Callable[[Any, RuleInForce], tuple[tuple[str, str], ...] | None], RuleInForce], ...]
"""Checks of a line (`line_checks.Check`), each with its rule."""


@dataclass(frozen=True, slots=True)
class PricedAct:
    """An act with the tariff of one in a span of days; `exact` ranks acts. `unit` is None when there is no tariff.

    `checks`: those that its lines pass, each with its rule.
    """

    act: Act
    unit: Decimal | None
    exact: Decimal
    checks: Checks


class DayRules:
    """The rules of all days of a span; `checks` are those that every line passes."""

    __slots__ = ("_acts", "_checks_of_act", "_day", "_nomenclature", "checks", "rates", "rules", "surcharges")

    def __init__(
        self,
        *,
        nomenclature: Nomenclature,
        day: date,
        rules: Sequence[RuleInForce],
        rates: Sequence[RuleInForce],
        surcharges: Iterable[Surcharge],
        checks: Callable[[Mapping[str, RuleInForce]], Checks],
        checks_of_act: Callable[[Act, Mapping[str, RuleInForce]], Checks],
    ) -> None:
        self._nomenclature, self._day, self._checks_of_act = nomenclature, day, checks_of_act
        self.rules = {rule.key: rule for rule in rules}
        self.checks = checks(self.rules)
        self.rates = tuple(rates)
        self.surcharges: dict[str, tuple[Surcharge, SurchargeTerms]] = {}
        for one in surcharges:
            if begun := [period for period in one.periods if period.valid_from <= day]:
                self.surcharges[one.letter] = one, begun[-1]
        self._acts: dict[str, PricedAct | None] = {}

    def is_known(self, code: str) -> bool:
        """Return whether a code is that of an act on any day."""
        return code in self._nomenclature

    def act(self, code: str) -> PricedAct | None:
        """Return the act with a code and its price, None when it is not in force."""
        if code not in self._acts:
            if code not in self._nomenclature:
                return None
            self._acts[code] = self._priced(code)
        return self._acts[code]

    def _priced(self, code: str) -> PricedAct | None:
        act = self._nomenclature.act(code, self._day)
        if act is None:
            return None
        try:
            price = self._nomenclature.price(act, self._day)
        except NoTariff:
            return PricedAct(act, None, Decimal(0), ())
        return PricedAct(act, price.unit, price.exact, self._checks_of_act(act, self.rules))
