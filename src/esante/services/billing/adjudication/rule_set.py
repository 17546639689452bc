"""The rules with the nomenclature, compiled for each span of days.

Between two days on which something changes, all days share one `DayRules`, which is made when it is first asked for.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path

from esante.services.billing.adjudication.day_rules import DayRules
from esante.services.billing.adjudication.line_checks import checks_before_act, checks_of_act
from esante.services.billing.adjudication.terms import (
    ALWAYS,
    PACKAGE,
    RATES,
    RULES,
    Rule,
    RuleInForce,
    load_rules,
)
from esante.services.billing.nomenclature import (
    Nomenclature,
    Surcharge,
    current_folder,
    data_text,
    load_surcharges,
    nomenclature,
)
from esante.services.billing.nomenclature.terms import PACKAGE as NOMENCLATURE
from esante.services.billing.nomenclature.terms import SURCHARGES, TARIFF


class RuleSet:
    """All rules of all times; `digest` is the SHA-256 over all data of which they are made.

    `rates`: in the order in which they are asked. Raises: ValueError when a rule is missing without which there is no
    decision.
    """

    def __init__(
        self,
        acts: Nomenclature,
        rules: Sequence[Rule],
        rates: Sequence[Rule],
        surcharges: Iterable[Surcharge],
        digest: str = "",
    ) -> None:
        self.nomenclature, self.digest = acts, digest
        self._rules, self._rates, self._surcharges = tuple(rules), tuple(rates), tuple(surcharges)
        if missing := ALWAYS - {rule.key for rule in rules}:
            raise ValueError(f"{RULES}: rules are missing: {', '.join(sorted(missing))}")
        periods = [period for one in (*self._rules, *self._rates) for period in one.periods]
        terms = [period for one in self._surcharges for period in one.periods]
        days = {one.valid_from for one in periods} | {one.valid_from for one in terms} | acts.boundaries()
        self._boundaries = sorted(days)
        self._spans: dict[int, DayRules] = {}

    def on(self, day: date) -> DayRules:
        """Return the rules of a day."""
        place = bisect_right(self._boundaries, day)
        found = self._spans.get(place)
        if found is None:
            found = self._spans[place] = DayRules(
                nomenclature=self.nomenclature,
                day=day,
                rules=_in_force(self._rules, day),
                rates=_in_force(self._rates, day),
                surcharges=self._surcharges,
                checks=checks_before_act,
                checks_of_act=checks_of_act,
            )
        return found

    def rule(self, key: str) -> Rule | None:
        """Return a rule or a rate with all its periods."""
        return next((one for one in (*self._rules, *self._rates) if one.key == key), None)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules, the rates last."""
        return (*self._rules, *self._rates)


def current_rules() -> RuleSet:
    """Return the rules in use, which are read once. Raises: ValueError when a file of them is wrong."""
    return _load(current_folder())


@lru_cache(maxsize=4)
def _load(folder: Path | None) -> RuleSet:
    acts = nomenclature()
    files = [(NOMENCLATURE, TARIFF), (NOMENCLATURE, SURCHARGES), (PACKAGE, RULES), (PACKAGE, RATES)]
    text = "".join((acts.digest, *(data_text(package, name) for package, name in files)))
    return RuleSet(
        acts,
        load_rules(RULES),
        load_rules(RATES),
        load_surcharges().values(),
        digest=hashlib.sha256(text.encode()).hexdigest(),
    )


def _in_force(rules: Iterable[Rule], day: date) -> list[RuleInForce]:
    found = []
    for rule in rules:
        begun = [period for period in rule.periods if period.valid_from <= day]
        if rule.key in ALWAYS:
            begun = begun or [rule.periods[0]]
        if begun:
            found.append(RuleInForce(rule.key, rule.effect, begun[-1].params, begun[-1].legal_source))
    return found
