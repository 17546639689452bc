"""What an advice costs: one person over all antigens, and a population on all cores, with the calendar and with CDSi data.

The CDC's supporting data are taken from `shared/data/cdsi` beside the checkout (or `$ESANTE_SHARED`), if they are there.
"""

import os
import random
import statistics
from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from time import perf_counter, process_time

from bench.figures import Figures
from esante.command_line import ProgressBar
from esante.services.vaccination.forecast import Advice, Dose, Patient, RuleSet, advise, load_rules
from esante.services.vaccination.forecast.population import Record, advise_all

ON = date(2026, 11, 29)
SHARED = Path(os.environ.get("ESANTE_SHARED", Path(__file__).parents[2] / "shared")) / "data" / "cdsi"
RELEASE = SHARED / "supporting-data-4.64"
SINGLE, SOME, ALL = 2_000, 20_000, 100_000
"""Persons advised one by one, in the population, and in it with `--full`."""
_INFANT = ((60, "146"), (60, "216"), (90, "163"), (120, "146"), (120, "216"), (150, "163"), (330, "146"), (330, "216"))
_CHILD = (
    (366, "94"),
    (366, "163"),
    (400, "203"),
    (480, "94"),
    (1900, "130"),
    (4100, "165"),
    (4300, "165"),
    (5600, "115"),
)
_ADULT = ((9300, "115"), (13000, "309"), (23800, "135"), (23800, "187"), (23900, "187"), (24100, "216"))


def population(count: int) -> Iterator[Record]:
    """Yield persons of all ages with most of the doses of their age, each some weeks late."""
    rng = random.Random(1)
    for _ in range(count):
        born = ON - timedelta(days=rng.randrange(90 * 365))
        late = [
            (born + timedelta(days=days + rng.randrange(60)), vaccine)
            for days, vaccine in (*_INFANT, *_CHILD, *_ADULT)
            if rng.random() < 0.85
        ]
        doses = [Dose(str(place), day, vaccine) for place, (day, vaccine) in enumerate(late) if day <= ON]
        yield Patient(born, rng.choice(("female", "male"))), doses


def load(name: str) -> RuleSet:
    """Return the rules of a name."""
    return load_rules(name, RELEASE, on=ON)


def due(advice: Advice) -> int:
    """Return how many groups have a dose due."""
    return sum(one.recommended is not None and one.recommended <= ON for one in advice.groups)


async def vaccination(data: Path, seconds: float, full: bool) -> Figures:
    """Measure both sets of rules."""
    figures: Figures = {}
    for name in ("lu", *(["cdsi"] if RELEASE.is_dir() else [])):
        began = process_time()
        rules = load(name)
        figures[f"{rules.name}: rules compiled"] = f"{process_time() - began:.2f} s of processor time"
        figures[f"{rules.name}: one person, {len(rules.antigens)} antigens"] = _measure_single(rules)
        figures[f"{rules.name}: population, {os.cpu_count()} processes"] = _measure_population(
            name, ALL if full else SOME
        )
    return figures


def _measure_single(rules: RuleSet) -> str:
    times = []
    for patient, doses in population(SINGLE):
        began = process_time()
        advise(patient, doses, ON, rules)
        times.append((process_time() - began) * 1_000)
    cuts = statistics.quantiles(times, n=100)
    return f"mean {statistics.mean(times):.2f} ms   p50 {cuts[49]:.2f}   p95 {cuts[94]:.2f}   p99 {cuts[98]:.2f}"


def _measure_population(name: str, count: int) -> str:
    began = perf_counter()
    with ProgressBar("persons") as progress:
        waiting = sum(advise_all(population(count), count, ON, partial(load, name), due, progress))
    took = perf_counter() - began
    return f"{count:,} persons in {took:.1f} s ({count / took:,.0f}/s), {waiting:,} doses due"


PARTS = {"vaccination": vaccination}
