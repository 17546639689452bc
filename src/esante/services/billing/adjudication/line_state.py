"""A line of a note while it is adjudicated, and what is known of acts around it."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

from uuid_utils.compat import uuid5

from esante.services.billing.adjudication.day_rules import DayRules
from esante.services.billing.adjudication.model import Case, Effect, Finding, PastAct
from esante.services.billing.adjudication.terms import RuleInForce
from esante.services.billing.nomenclature import Act, Chapter, Nomenclature, Part
from esante.services.billing.note.model import NoteLine

ZERO = Decimal("0.00")
_CENT = Decimal("0.01")
Params = tuple[tuple[str, str], ...]


class History:
    """The acts billed for the person before, and on the lines that were checked already."""

    def __init__(self, past: tuple[PastAct, ...], nomenclature: Nomenclature) -> None:
        self._nomenclature = nomenclature
        self._by_code: dict[str, list[PastAct]] = defaultdict(list)
        for act in past:
            self._by_code[act.code].append(act)
        self.past = past

    def add(self, act: PastAct) -> None:
        """Count an act of the note."""
        self._by_code[act.code].append(act)

    def of_code(self, code: str) -> list[PastAct]:
        """Return the acts with a code."""
        return self._by_code.get(code, [])

    def days_of(self, chapter: Chapter) -> Iterator[date]:
        """Yield the days of the acts of a chapter."""
        for code, acts in self._by_code.items():
            for past in acts:
                if (act := self._nomenclature.act(code, past.on)) is not None and act.chapter is chapter:
                    yield past.on

    def session(self, on: date, provider_code: str) -> list[Act]:
        """Return the acts of a day by a provider in earlier notes, each as often as it was billed."""
        return [
            act
            for past in self.past
            if past.on == on and past.provider_code == provider_code
            if (act := self._nomenclature.act(past.code, on)) is not None
            for _ in range(past.quantity)
        ]


class LineState:
    """A line with what was found so far.

    `charged`: its amount, 0 where it has none that can be counted with. `act`, its `part` of the nomenclature and
    `exact`, its price before rounding, are there once it is known. `unit`: what one act costs with the letters at its
    code. `urgent`: a surcharge for an urgent act is in it. `approved`: there is a prior approval of the act. `parts`:
    for how many acts which part is paid. `rate`: the part of the tariff that the insurance bears.
    """

    __slots__ = (
        *("case", "line", "rules", "history", "provider_code", "on", "charged", "findings", "refused", "approved"),
        *("act", "part", "exact", "letters", "unit", "urgent", "parts", "rate"),
    )
    act: Act
    part: Part
    exact: Decimal

    def __init__(self, case: Case, line: NoteLine, rules: DayRules, history: History) -> None:
        self.case, self.line, self.rules, self.history = case, line, rules, history
        self.provider_code = line.performer_code or case.note.biller.provider_code
        self.on = line.period.start
        self.charged = line.gross if case.has_amounts and line.gross.is_finite() else ZERO
        self.findings: list[Finding] = []
        self.refused = self.approved = False
        self.letters: tuple[str, ...] = ()
        self.unit = ZERO
        self.urgent = False
        self.parts: list[tuple[int, Decimal]] = [(line.quantity, Decimal(1))]
        self.rate = ZERO

    def find(self, rule: RuleInForce, params: Params = (), effect: Effect | None = None) -> None:
        """Keep that a rule applied, with its effect or another."""
        effect = effect or rule.effect
        if effect is Effect.REFUSED:
            self.refused = True
        self.findings.append(make_finding(self.case.note.id, rule, self.line.number, params, effect))

    def apply(self, key: str, params: Params = (), effect: Effect | None = None) -> None:
        """Keep that the rule with a key applied, where it is in force."""
        if (rule := self.rules.rules.get(key)) is not None:
            self.find(rule, params, effect)


def make_finding(note_id: UUID, rule: RuleInForce, line: int, params: Params, effect: Effect) -> Finding:
    """Return a finding; its id is made of the note, the line, the rule and its parameters."""
    name = f"{line}:{rule.key}:{dict(params).get('letter', '')}"
    return Finding(
        id=uuid5(note_id, name),
        rule=rule.key,
        effect=effect,
        line=line,
        legal_source=rule.legal_source,
        params=params,
    )


def to_cents(amount: Decimal) -> Decimal:
    """Return an amount rounded half up to the cent."""
    return amount.quantize(_CENT, ROUND_HALF_UP)


def age_on(birth_date: date, day: date) -> int:
    """Return the age in whole years; a birthday on 29 February is reached on 1 March of other years."""
    return day.year - birth_date.year - ((day.month, day.day) < (birth_date.month, birth_date.day))
