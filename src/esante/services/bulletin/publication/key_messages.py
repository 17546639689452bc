"""Key messages: sentences made from cells by fixed rules, each linked to its cell.

They are made of the first two totals of each theme: the value, the comparison with the same month of the year before
(or else with the month before), and whether there has never been a higher value. They contain no judgement.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from esante.core.web import N_
from esante.services.bulletin.model import LANGUAGES, Cell, Indicator, IndicatorKind
from esante.services.bulletin.periods import shift_month
from esante.services.bulletin.publication.formatter import Formatter, formatter
from esante.services.bulletin.publication.model import COUNTS, IssueDocument
from esante.services.bulletin.publication.themes import group_by_theme

MOST = 8
"""The most sentences of an issue."""
STABLE = 0.01
"""A relative change below this counts as none."""


@dataclass(frozen=True, slots=True)
class KeyMessage:
    """A sentence by language, and the cell whose value it gives."""

    cell: Cell
    texts: Mapping[str, str]


_MORE = N_("%(title)s: %(value)s in %(month)s, %(change)s more than in %(before)s.")
_LESS = N_("%(title)s: %(value)s in %(month)s, %(change)s less than in %(before)s.")
_SAME = N_("%(title)s: %(value)s in %(month)s, about the same as in %(before)s.")
_BOTH_VALUES = N_("%(title)s: %(value)s in %(month)s, compared with %(earlier)s in %(before)s.")
_VALUE_ONLY = N_("%(title)s: %(value)s in %(month)s.")
_RECORD = N_("This is the highest month since %(first)s.")


def key_messages(document: IssueDocument) -> tuple[KeyMessage, ...]:
    """Return the key messages of an issue, in the order of its themes."""
    leading = [indicator for theme in group_by_theme(document.indicators) for indicator in theme.indicators[:2]]
    found = [_message(document, indicator) for indicator in leading]
    return tuple([message for message in found if message is not None][:MOST])


def _message(document: IssueDocument, indicator: Indicator) -> KeyMessage | None:
    cell = document.cell(indicator.id)
    if cell is None or cell.value is None:
        return None
    return KeyMessage(
        cell, {language: make_sentence(document, indicator, cell, formatter(language)) for language in LANGUAGES}
    )


def make_sentence(document: IssueDocument, indicator: Indicator, cell: Cell, fmt: Formatter) -> str:
    """Return the sentence about a cell, by the rules."""
    before = _comparison_cell(document, cell)
    change = (cell.value or 0) / before.value - 1 if before and before.value else 0.0
    text = fmt.text(
        _pattern(indicator, before, change),
        title=fmt.title(indicator),
        value=fmt.value(cell, indicator.unit),
        month=fmt.month(cell.period),
        change=fmt.percent(abs(change)),
        before=fmt.month(before.period) if before else "",
        earlier=fmt.value(before, indicator.unit),
    )
    first = _record_since(document, indicator, cell)
    return f"{text} {fmt.text(_RECORD, first=fmt.month(first))}" if first else text


def _pattern(indicator: Indicator, before: Cell | None, change: float) -> str:
    if before is None:
        return _VALUE_ONLY
    if abs(change) < STABLE:
        return _SAME
    if indicator.kind not in COUNTS:
        return _BOTH_VALUES  # a change in percent of a share, or of two days, is hard to understand
    return _MORE if change > 0 else _LESS


def _comparison_cell(document: IssueDocument, cell: Cell) -> Cell | None:
    for months in (12, 1):
        found = document.cell(cell.indicator, shift_month(cell.period, -months), cell.breakdown, cell.value_of)
        if found and found.value:
            return found
    return None


def _record_since(document: IssueDocument, indicator: Indicator, cell: Cell) -> str:
    """Return the first month of the series if a flow of a year and more has never been as high, else an empty text."""
    earlier = [
        one
        for one in document.series[cell.indicator, cell.breakdown, cell.value_of].values()
        if one.value is not None and one.period < cell.period
    ]
    highest = len(earlier) >= 12 and all((one.value or 0) < (cell.value or 0) for one in earlier)
    return earlier[0].period if highest and indicator.kind is IndicatorKind.FLOW else ""
