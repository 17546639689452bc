"""What a finding says to people, in the language of a page: what is wrong, what to do, and where it stands."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from babel import numbers, units

from esante.core.web import N_, show_date, translator
from esante.services.billing.adjudication.model import Effect, Finding
from esante.services.billing.adjudication.rule_set import current_rules
from esante.services.billing.nomenclature import Frequency, Unit, parse_frequency

EFFECTS: Mapping[Effect, str] = {
    Effect.REFUSED: N_("Not reimbursed"),
    Effect.REDUCED: N_("Reduced"),
    Effect.RATE: N_("Rate"),
    Effect.WARNING: N_("Please note"),
}
"""What the effects of rules are called (msgids)."""
_LOCALES = {"en": "en_GB"}


@dataclass(frozen=True, slots=True)
class Explanation:
    """A finding in words; `remedy` is empty where there is nothing to do. `legal_source` is as the law is cited."""

    title: str
    remedy: str
    legal_source: str


def explain(finding: Finding, language: str) -> Explanation:
    """Return what a finding says in a language; of a rule that is not in the data any more, its key."""
    rule = current_rules().rule(finding.rule)
    if rule is None:
        return Explanation(finding.rule, "", finding.legal_source)
    gettext = translator(language).gettext
    values = {name: _show(name, value, language) for name, value in finding.params}
    remedy = gettext(rule.words) % values if rule.words else ""
    return Explanation(gettext(rule.label) % values, remedy, finding.legal_source)


def show_amount(amount: Decimal, language: str) -> str:
    """Return an amount in euros as a language writes it."""
    return str(numbers.format_currency(amount, "EUR", locale=_LOCALES.get(language, language)))


def show_share(share: Decimal, language: str) -> str:
    """Return a part of a tariff as a percentage."""
    return str(numbers.format_percent(share, locale=_LOCALES.get(language, language)))


def _show(name: str, value: str, language: str) -> str:
    show = _SHOWN.get(name)
    return show(value, language) if show else value


def _limit(text: str, language: str) -> str:
    """Return how often an act may be billed."""
    frequency = parse_frequency(text)
    gettext = translator(language).gettext
    values = {"count": str(frequency.count), "span": _span(frequency, language)}
    if frequency.unit is Unit.LIFE:
        return gettext(N_("%(count)s in a lifetime")) % values
    if frequency.unit is Unit.CALENDAR_YEARS and frequency.span == 1:
        return gettext(N_("%(count)s in a calendar year")) % values
    if frequency.by_biller:
        return gettext(N_("%(count)s in %(span)s by the same provider")) % values
    return gettext(N_("%(count)s in %(span)s")) % values


def _span(frequency: Frequency, language: str) -> str:
    unit = {Unit.DAYS: "duration-day", Unit.MONTHS: "duration-month"}.get(frequency.unit, "duration-year")
    return str(units.format_unit(frequency.span, unit, locale=_LOCALES.get(language, language)))


_SHOWN: Mapping[str, Callable[[str, str], str]] = {
    "day": lambda value, language: show_date(date.fromisoformat(value), language),
    "share": lambda value, language: show_share(Decimal(value), language),
    "limit": _limit,
    **dict.fromkeys(
        ("charged", "allowed", "extra", "bound"), lambda value, language: show_amount(Decimal(value), language)
    ),
}
"""How the parameters of findings are shown, by their names; others as they are."""
