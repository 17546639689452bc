"""The file of schemes (data/schemes.toml): read, checked as a whole, and refused with the row of each fault."""

import re
import tomllib
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import msgspec

from esante.core.dated_data import packaged_text
from esante.services.incentives.schemes.model import MovedDeadline, Scheme, Unit

_HEADER = re.compile(r"(?m)^[ \t]*\[\[[ \t]*scheme[ \t]*\]\]")
_EURO = re.compile(r"\d{1,9}(?:\.\d{1,4})?", re.ASCII)
MOST_ROWS, MAX_CHARACTERS = 1_000, 1_000_000
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=2_000)]
Code = Annotated[str, msgspec.Meta(pattern=r"^\d{8}$")]


class SchemeFileError(ValueError):
    """A file of schemes that is refused: `faults` are its faults, each with its row."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class _Moved(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    until: date
    accounts: tuple[Code, ...]
    source: Text


class _Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    key: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_-]{1,39}$")]
    label: Text
    valid_from: date
    valid_until: date | None = None
    unit: Unit
    evidence: str
    professions: tuple[str, ...] = ()
    kit: str = ""
    threshold: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1
    amount: str
    payee_cap: str | None = None
    budget: str | None = None
    claims_until: date | None = None
    moved: tuple[_Moved, ...] = ()
    legal_source: Text
    verified: bool
    sample: tuple[str, ...] = ()


def parse_schemes(text: str, kinds: Collection[str]) -> tuple[Scheme, ...]:
    """Return the rows of a file, by key and first day. `kinds`: the known kinds of evidence.

    Raises: SchemeFileError with every fault: a row that cannot be read, a negative amount, an unknown kind of
    evidence, a day out of order, a gap or an overlap between two rows of a key.
    """
    if len(text) > MAX_CHARACTERS:
        raise SchemeFileError([f"the file has more than {MAX_CHARACTERS} characters"])
    try:
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SchemeFileError([f"this is no TOML: {error}"]) from error
    rows = found.pop("scheme", None)
    if not isinstance(rows, list) or not rows or len(rows) > MOST_ROWS or found:
        raise SchemeFileError([f"the file must hold tables [[scheme]] and nothing else, at most {MOST_ROWS}"])
    lines = [text.count("\n", 0, one.start()) + 1 for one in _HEADER.finditer(text)]
    lines += [0] * (len(rows) - len(lines))
    faults: list[str] = []
    read: list[tuple[str, Scheme]] = []
    for number, (row, line) in enumerate(zip(rows, lines, strict=False), 1):
        place = f"row {number} (line {line})"
        try:
            scheme = _scheme(msgspec.convert(row, _Row))
        except (msgspec.ValidationError, ValueError) as error:
            faults.append(f"{place}: {error}")
            continue
        faults += [f"{place}: {fault}" for fault in _row_faults(scheme, kinds)]
        read.append((place, scheme))
    faults += _order_faults(read)
    if faults:
        raise SchemeFileError(faults)
    return tuple(sorted((scheme for _, scheme in read), key=lambda one: one.id))


def _scheme(row: _Row) -> Scheme:
    moved = tuple(
        MovedDeadline(until=one.until, accounts=frozenset(one.accounts), source=one.source) for one in row.moved
    )
    return Scheme(
        key=row.key,
        label=row.label,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        unit=row.unit,
        evidence=row.evidence,
        professions=frozenset(row.professions),
        kit=row.kit,
        threshold=row.threshold,
        amount=_euros(row.amount, "amount"),
        payee_cap=None if row.payee_cap is None else _euros(row.payee_cap, "payee_cap"),
        budget=None if row.budget is None else _euros(row.budget, "budget"),
        claims_until=row.claims_until,
        moved=moved,
        legal_source=row.legal_source,
        verified=row.verified,
        sample=row.sample,
    )


def _euros(text: str, name: str) -> Decimal:
    """Return an amount of euros, written as text so that no digit is lost. Raises: ValueError."""
    if not _EURO.fullmatch(text):
        raise ValueError(f'{name} is {text[:20]!r}: write euros like "625.00", not negative, at most four decimals')
    return Decimal(text)


def _row_faults(scheme: Scheme, kinds: Collection[str]) -> list[str]:
    """Return what is wrong within a row."""
    faults = []
    if scheme.evidence not in kinds:
        faults.append(f"the evidence {scheme.evidence!r} is not known: one of {', '.join(sorted(kinds))}")
    if scheme.valid_until is not None and scheme.valid_until < scheme.valid_from:
        faults.append("valid_until is before valid_from")
    if scheme.unit is not Unit.DOCUMENT and scheme.amount != scheme.amount.quantize(Decimal("0.01")):
        faults.append("an amount that is paid once has two decimals")
    if scheme.unit is not Unit.INSTALLATION and (scheme.claims_until or scheme.moved):
        faults.append("only installations are claimed: leave out claims_until and moved")
    if scheme.moved and scheme.claims_until is None:
        faults.append("a deadline was moved, but there is no claims_until")
    if scheme.unit is Unit.INSTALLATION and not scheme.kit:
        faults.append("the kit of an installation is missing: who its vendor is follows from the label")
    last = max([one.until for one in scheme.moved], default=scheme.claims_until)
    if scheme.claims_until and any(one.until < scheme.claims_until for one in scheme.moved):
        faults.append("a moved deadline is before claims_until")
    if last and scheme.valid_until and last > scheme.valid_until:
        faults.append("the last deadline of claims is after valid_until")
    if unknown := set(scheme.sample) - set(Scheme.__slots__):
        faults.append(f"sample names unknown fields: {', '.join(sorted(unknown))}")
    return faults


def _order_faults(read: Sequence[tuple[str, Scheme]]) -> list[str]:
    """Return the gaps and overlaps between rows of one key, and a unit that changes."""
    by_key: dict[str, list[tuple[str, Scheme]]] = defaultdict(list)
    for place, scheme in read:
        by_key[scheme.key].append((place, scheme))
    faults = []
    for key, rows in by_key.items():
        rows.sort(key=lambda one: one[1].valid_from)
        for (place, one), (other, after) in pairwise(rows):
            ends = one.valid_until
            if ends is None or ends >= after.valid_from:
                faults.append(f"{other}: {key} overlaps {place}, which ends {ends or 'never'}")
            elif ends + timedelta(days=1) < after.valid_from:
                faults.append(f"{other}: {key} has a gap after {place}, which ends {ends}")
            if (one.unit, one.evidence) != (after.unit, after.evidence):
                faults.append(f"{other}: {key} has another unit or evidence than {place}: give it a key of its own")
    return faults


_with_samples = False


def use_samples(wanted: bool) -> None:
    """Take rows with invented values into force, or not: a demonstration has them, and nobody else."""
    global _with_samples  # noqa: PLW0603 - what the installation is, set once when it is built
    _with_samples = wanted


def load_schemes(file: str, kinds: Collection[str]) -> tuple[Scheme, ...]:
    """Return the schemes that are in force at their time; `file`: an own file in place of the packaged one ("": none).

    Raises: SchemeFileError, OSError for an own file that cannot be read.
    """
    text = Path(file).read_text(encoding="utf-8") if file else _packaged()
    return tuple(one for one in parse_schemes(text, kinds) if _with_samples or file or not one.sample)


@cache
def _packaged() -> str:
    return packaged_text("esante.services.incentives", "schemes.toml")
