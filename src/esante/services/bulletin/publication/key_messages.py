"""Key messages: sentences made from numbers by fixed rules, each linked to the cell that it tells.

The first two totals of each theme are told: the value, how it stands to the same month of a year before (or, where
that is not known, to the month before), and whether there has never been a higher one. Nothing is judged.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from esante.core.web import N_
from esante.services.bulletin.model import LANGUAGES, Cell, Indicator, IndicatorKind
from esante.services.bulletin.publication.formatting import Words, words
from esante.services.bulletin.publication.model import COUNTS, Paper, shift
from esante.services.bulletin.publication.themes import themes

MOST = 8
"""So many sentences at most."""
STEADY = 0.01
"""A change below one percent is told as none."""


@dataclass(frozen=True, slots=True)
class Message:
    """A key message: a sentence by language, and the cell whose value it tells."""

    cell: Cell
    texts: Mapping[str, str]


_MORE = N_("%(title)s: %(value)s in %(month)s, %(change)s more than in %(before)s.")
_LESS = N_("%(title)s: %(value)s in %(month)s, %(change)s less than in %(before)s.")
_SAME = N_("%(title)s: %(value)s in %(month)s, about as in %(before)s.")
_WAS = N_("%(title)s: %(value)s in %(month)s; it was %(earlier)s in %(before)s.")
_ONLY = N_("%(title)s: %(value)s in %(month)s.")
_RECORD = N_("No month since %(first)s had more.")


def messages_of(paper: Paper) -> tuple[Message, ...]:
    """The key messages of an issue, in the order of its themes."""
    told = [indicator for theme in themes(paper.indicators) for indicator in theme.indicators[:2]]
    found = [_message(paper, indicator) for indicator in told]
    return tuple([message for message in found if message is not None][:MOST])


def _message(paper: Paper, indicator: Indicator) -> Message | None:
    cell = paper.cell(indicator.id)
    if cell is None or cell.value is None:
        return None
    return Message(cell, {language: sentence(paper, indicator, cell, words(language)) for language in LANGUAGES})


def sentence(paper: Paper, indicator: Indicator, cell: Cell, w: Words) -> str:
    """What there is to say of a cell, by the rules."""
    before = _compared_with(paper, cell)
    change = (cell.value or 0) / before.value - 1 if before and before.value else 0.0
    text = w.text(
        _form(indicator, before, change),
        title=w.title(indicator),
        value=w.value(cell, indicator.unit),
        month=w.month(cell.period),
        change=w.percent(abs(change)),
        before=w.month(before.period) if before else "",
        earlier=w.value(before, indicator.unit),
    )
    first = _first_if_record(paper, indicator, cell)
    return f"{text} {w.text(_RECORD, first=w.month(first))}" if first else text


def _form(indicator: Indicator, before: Cell | None, change: float) -> str:
    if before is None:
        return _ONLY
    if abs(change) < STEADY:
        return _SAME
    if indicator.kind not in COUNTS:
        return _WAS  # a change in percent of per cent, or of two days, says little
    return _MORE if change > 0 else _LESS


def _compared_with(paper: Paper, cell: Cell) -> Cell | None:
    for months in (12, 1):
        found = paper.cell(cell.indicator, shift(cell.period, -months), cell.breakdown, cell.value_of)
        if found and found.value:
            return found
    return None


def _first_if_record(paper: Paper, indicator: Indicator, cell: Cell) -> str:
    """The first month of the series, if a flow of a year and more has never been as high."""
    earlier = [
        one
        for one in paper.series[cell.indicator, cell.breakdown, cell.value_of].values()
        if one.value is not None and one.period < cell.period
    ]
    highest = len(earlier) >= 12 and all((one.value or 0) < (cell.value or 0) for one in earlier)
    return earlier[0].period if highest and indicator.kind is IndicatorKind.FLOW else ""
