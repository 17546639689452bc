"""The words of warnings and standings, in the language of a page."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from starlette.requests import Request

from esante.core.web import N_, gettext_of, language_of
from esante.services.vaccination.card.advice import Standing
from esante.services.vaccination.card.checks import contraindication_kinds
from esante.services.vaccination.card.model import Warning
from esante.services.vaccination.history.bundle import day_text
from esante.services.vaccination.products.catalogue import catalogue

STANDINGS: Mapping[Standing, tuple[str, str, str]] = {
    Standing.OVERDUE: (N_("Overdue"), "danger", "warning"),
    Standing.DUE: (N_("Due now"), "act", "clock"),
    Standing.LATER: (N_("Up to date"), "good", "check"),
    Standing.DONE: (N_("Complete"), "good", "check"),
    Standing.IMMUNE: (N_("Immune"), "good", "check"),
    Standing.NOT_NOW: (N_("Not at present"), "warn", "close"),
    Standing.NOT_NEEDED: (N_("No further dose"), "", ""),
    Standing.UNKNOWN: (N_("Not in the calendar"), "", ""),
}
"""How a person stands with a disease: words (msgid), tone and icon of the badge."""
CONTRAINDICATION = N_("There is a contraindication: %(kind)s.")


class Worded(NamedTuple):
    """A warning as a page shows it: the name of its rule, what it says, its source."""

    rule: str
    text: str
    legal_source: str


def worded(request: Request, warnings: Iterable[Warning]) -> list[Worded]:
    """Return warnings in the language of a page."""
    gettext, language = gettext_of(request), language_of(request)
    return [Worded(one.rule, warning_words(one, gettext, language), one.legal_source) for one in warnings]


def warning_words(warning: Warning, gettext: Callable[[str], str], language: str) -> str:
    """Return what a warning says."""
    values = {name: _value(name, text, gettext, language) for name, text in warning.details.items()}
    text = CONTRAINDICATION if warning.rule == "contraindication" else warning.text
    return gettext(text) % values if values else gettext(text)


def _value(name: str, text: str, gettext: Callable[[str], str], language: str) -> str:
    match name:
        case "day":
            return day_text(text, language)
        case "antigens":
            return ", ".join(gettext(catalogue().antigens[key].label) for key in text.split())
        case "reason":
            return gettext(text)
        case "kind":
            kinds = contraindication_kinds()
            return gettext(kinds[text].label) if text in kinds else text
        case _:
            return text
