"""How often the likely range of forecasts held, over all indicators of the demo's past, and what a forecast costs.

Beside it stands the plain method: three trends without bounds and, for each step ahead, the conformal quantile of the
absolute errors so many months ahead.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import process_time

from bench.bench_world import open_bench_platform
from bench.figures import Figures
from esante.contract import Platform
from esante.core.storage import NIL
from esante.demo.history.journal_history import ORIGIN, JournalHistory
from esante.services.bulletin import Bulletin, shift_month
from esante.services.bulletin.analysis.forecast_models import Scale
from esante.services.bulletin.analysis.forecasts import (
    LIKELY,
    SHORTEST,
    best_test,
    forecast_series,
    run_backtest,
    run_naive,
)
from esante.services.bulletin.analysis.objectives import ceiling_of, objectives_contract
from esante.services.bulletin.publication.issue_files import make_document

MONTHS, SEED = 36, 1
"""Those of `esante demo`."""
PLAIN = ("drift", "damped", "theta")
Ranges = Sequence[tuple[float, float]]
"""The ends of the likely range of each month ahead; none when no forecast would be published."""


async def forecasts(data: Path, seconds: float, full: bool) -> Figures:
    """Forecast from every month from which it is possible, and compare with the months after it."""
    async with open_bench_platform(data) as platform:
        series = await _count_demo(platform)
    figures: Figures = {}
    totals = [0, 0, 0, 0]
    for name, (values, cap) in series.items():
        held = [*_held(values, _published_ranges, cap), *_held(values, _plain_ranges, cap)]
        totals = [before + more for before, more in zip(totals, held, strict=True)]
        figures[name] = _line(held)
    figures["all indicators"] = _line(totals)
    began = process_time()
    for values, cap in series.values():
        forecast_series([value + 1e-6 for value in values], cap)  # one that is not in the cache
    figures["processor time of a forecast"] = f"{(process_time() - began) / len(series) * 1000:.1f} ms"
    return figures


def _line(held: Sequence[int]) -> str:
    within, count, plain_within, plain_count = held
    return f"{within} of {count} later months within the likely range; plain method {plain_within} of {plain_count}"


async def _count_demo(platform: Platform) -> dict[str, tuple[list[float], float | None]]:
    """Return the totals and ceilings of all indicators that differ over the months of the demo's released issue."""
    now, journal = datetime.now(UTC), platform.journal
    await journal.ensure_months(now - timedelta(days=31 * (MONTHS + 2)), now)
    for events in JournalHistory(SEED, now, MONTHS).months():
        rows = [
            row
            for event, person, actor, at in events
            for row in journal.rows(event, person_id=person or NIL, actor=actor, origin=ORIGIN, at=at)
        ]
        await journal.sealer.load_history(rows)
    period = shift_month(f"{now:%Y-%m}", -2)
    await platform[Bulletin].build(period, "bench")
    document = make_document(await platform[Bulletin].issue(period, including="draft"), "")
    caps = {objective.indicator: objective.cap for objective in objectives_contract().objective}
    found = {}
    for indicator in document.indicators:
        cells = [document.cell(indicator.id, month) for month in document.periods]
        values = [float(cell.value) for cell in cells if cell and cell.value is not None]
        if len(values) == len(document.periods) and max(values) > min(values):
            found[indicator.id] = values, ceiling_of(indicator, caps.get(indicator.id))
    return found


def _held(
    values: Sequence[float], ranges: Callable[[Sequence[float], float | None], Ranges], cap: float | None
) -> tuple[int, int]:
    """Return how many later months lay within their ranges, and of how many."""
    within = count = 0
    for origin in range(SHORTEST, len(values)):
        for value, (low, high) in zip(values[origin:], ranges(values[:origin], cap), strict=False):
            within += low <= value <= high
            count += 1
    return within, count


def _published_ranges(known: Sequence[float], cap: float | None) -> Ranges:
    return [(point.low80, point.high80) for point in forecast_series(known, cap).points]


def _plain_ranges(known: Sequence[float], cap: float | None) -> Ranges:
    tests = [run_backtest(name, known, Scale()) for name in PLAIN]
    best, length = best_test(tests, len(known)), len(known)
    if best.mean_error(length) >= run_naive(known).mean_error(length):
        return []
    widths = _widths_by_step(best.residuals_by_step(length))
    ends = [(middle - width, middle + width) for middle, width in zip(best.forecasts[length], widths, strict=True)]
    return [(max(low, 0.0), high if cap is None else min(high, cap)) for low, high in ends]


def _widths_by_step(by_step: Sequence[Sequence[float]]) -> Iterator[float]:
    """Yield the conformal quantile of the errors at each step, never below that of the step before."""
    width = 0.0
    for errors in by_step:
        if errors:
            place = min(math.ceil((len(errors) + 1) * LIKELY), len(errors)) - 1
            width = max(width, sorted(errors)[place])
        yield width
