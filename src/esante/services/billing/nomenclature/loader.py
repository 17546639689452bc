"""The nomenclature as a CSV file: every row is checked, and a file with one wrong row is refused as a whole.

Columns: `code, valid_from, label_fr, chapter, legal_source, verified`, and of those in `OPTIONAL` what the file needs.
Days are YYYY-MM-DD, hours `19:00-22:00`, yes and no `true` and `false`; values of one cell are separated by spaces. A
frequency is `1/1d/biller` (once a day by a biller), `2/12m` (in 12 months), `1/1y` (in a calendar year) or `1/life`.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from itertools import pairwise

from esante.services.billing.nomenclature.cells import Cells
from esante.services.billing.nomenclature.model import Act, Chapter, Flag, Part

REQUIRED = ("code", "valid_from", "label_fr", "chapter", "legal_source", "verified")
OPTIONAL = (
    *("valid_to", "label_de", "label_en", "label_lb", "key", "coefficient", "fixed", "flags", "professions"),
    *("specialities", "min_age", "below_age", "hours", "places", "in_hospital", "frequency", "max_quantity"),
    *("approval", "part_of"),
)
MOST_AMOUNT, MOST_QUANTITY, MOST_AGE = Decimal(100_000), 99, 150
"""Bounds of a coefficient or tariff, of acts on a line (99 in the messages), and of ages."""
_CODE = re.compile(r"[A-Z0-9]{1,7}")
_LANGUAGES = ("fr", "de", "en", "lb")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The names that a row may use: key letters with a value, professions and specialities of the directory."""

    keys: Collection[str]
    professions: Collection[str]
    specialities: Collection[str]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that cannot be loaded: its line in the file, the code, and why."""

    row: int
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What a file holds: the periods of each code, the oldest first, and the rows that were refused."""

    acts: Mapping[str, tuple[Act, ...]]
    refusals: tuple[Refusal, ...]


def load_acts(text: str, vocabulary: Vocabulary) -> LoadReport:
    """Return what a CSV text holds, with every refused row. Raises: ValueError when it is no such table."""
    periods: dict[str, list[tuple[int, Act]]] = defaultdict(list)
    refusals: list[Refusal] = []
    for number, row in _rows(text):
        code = (row.get("code") or "").strip()
        try:
            periods[code].append((number, _act(row, vocabulary)))
        except ValueError as error:
            refusals.append(Refusal(number, code, str(error)))
    for found in periods.values():
        found.sort(key=lambda one: (one[1].valid_from, one[0]))
        refusals.extend(_period_faults(found))
    refusals.extend(_part_faults(periods))
    acts = {code: tuple(act for _, act in found) for code, found in periods.items() if found}
    return LoadReport(acts, tuple(sorted(refusals, key=lambda one: one.row)))


def _rows(text: str) -> Iterator[tuple[int, Mapping[str, str]]]:
    reader = csv.DictReader(StringIO(text), strict=True)
    try:
        names = reader.fieldnames or ()
        if missing := [name for name in REQUIRED if name not in names]:
            raise ValueError(f"columns are missing: {', '.join(missing)}")
        if unknown := [name for name in names if name not in (*REQUIRED, *OPTIONAL)]:
            raise ValueError(f"unknown columns: {', '.join(unknown)}")
        if len(set(names)) < len(names):
            raise ValueError("a column is there twice")
        found = False
        for row in reader:
            found = True
            yield reader.line_num, row
        if not found:
            raise ValueError("there is no row")
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from error


def _act(row: Mapping[str, str], vocabulary: Vocabulary) -> Act:
    if None in row or None in row.values():
        raise ValueError("the row has another number of cells than the header")
    cells = Cells({name: value.strip() for name, value in row.items()})
    if not _CODE.fullmatch(cells.text("code")):
        raise ValueError("the code is not 1 to 7 capital letters and digits")
    if not cells.text("label_fr") or not cells.text("legal_source"):
        raise ValueError("label_fr or legal_source is missing")
    act = Act(
        code=cells.text("code"),
        chapter=cells.one_of("chapter", Chapter),
        labels={one: text for one in _LANGUAGES if (text := cells.text(f"label_{one}"))},
        valid_from=cells.required_day("valid_from"),
        valid_to=cells.day("valid_to"),
        key=cells.text("key"),
        coefficient=cells.amount("coefficient", MOST_AMOUNT),
        fixed=cells.amount("fixed", MOST_AMOUNT),
        flags=frozenset(cells.many_of("flags", Flag)),
        professions=cells.known("professions", vocabulary.professions),
        specialities=cells.known("specialities", vocabulary.specialities),
        min_age=cells.whole("min_age", MOST_AGE),
        below_age=cells.whole("below_age", MOST_AGE),
        hours=cells.hours("hours"),
        places=frozenset(cells.words("places")),
        in_hospital=cells.flag("in_hospital"),
        frequencies=cells.frequencies("frequency"),
        max_quantity=cells.whole("max_quantity", MOST_QUANTITY) or MOST_QUANTITY,
        approval=cells.flag("approval"),
        part_of=frozenset(cells.words("part_of")),
        legal_source=cells.text("legal_source"),
        verified=cells.flag("verified", required=True),
    )
    _require_whole(act, vocabulary.keys)
    return act


def _require_whole(act: Act, keys: Collection[str]) -> None:
    """Raise ValueError unless what the row says goes together."""
    if act.valid_to is not None and act.valid_to < act.valid_from:
        raise ValueError("valid_to is before valid_from")
    values = sum(one is not None for one in (act.coefficient, act.fixed))
    if act.chapter.part is Part.CONVENIENCE and values:
        raise ValueError("the amount of a convenience is free: neither coefficient nor fixed")
    if act.chapter.part is not Part.CONVENIENCE and values != 1:
        raise ValueError("either coefficient or fixed is needed")
    if act.coefficient is not None and act.key not in keys:
        raise ValueError(f"unknown key letter: {act.key!r}")
    if act.min_age is not None and act.below_age is not None and act.below_age <= act.min_age:
        raise ValueError("below_age is not above min_age")
    if act.code in act.part_of:
        raise ValueError("the act is a part of itself")


def _period_faults(found: Sequence[tuple[int, Act]]) -> Iterator[Refusal]:
    """Yield the periods of a code that do not follow each other: twice, over each other, with days between."""
    for (_, before), (number, act) in pairwise(found):
        if act.valid_from == before.valid_from:
            yield Refusal(number, act.code, f"twice: another row begins on {act.valid_from}")
        elif before.valid_to is None or before.valid_to >= act.valid_from:
            until = before.valid_to or "without end"
            yield Refusal(number, act.code, f"overlap: the period from {before.valid_from} goes on ({until})")
        elif before.valid_to + timedelta(days=1) < act.valid_from:
            yield Refusal(number, act.code, f"gap: the period before ended on {before.valid_to}")


def _part_faults(periods: Mapping[str, Sequence[tuple[int, Act]]]) -> Iterator[Refusal]:
    """Yield the acts that are a part of one that is not in the file, or of each other."""
    for code, found in periods.items():
        for number, act in found:
            if unknown := sorted(act.part_of - periods.keys()):
                yield Refusal(number, code, f"part of an act that is not in the file: {', '.join(unknown)}")
            mutual = [one for one in act.part_of if any(code in other.part_of for _, other in periods.get(one, ()))]
            if mutual:
                yield Refusal(number, code, f"part of {', '.join(sorted(mutual))}, which is a part of it")
