"""The nomenclature: acts with their tariffs on a day, found by code and by words."""

import hashlib
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from pathlib import Path

from esante.identity.directory import catalogue as directory_catalogue
from esante.services.billing.nomenclature.data_files import current_folder, data_text, has_own
from esante.services.billing.nomenclature.loader import LoadReport, Vocabulary, load_acts
from esante.services.billing.nomenclature.model import Act, Price, TariffTerms, Value
from esante.services.billing.nomenclature.terms import PACKAGE, load_tariff

ACTS = "acts.csv"


class NoTariff(LookupError):
    """There is no tariff on a day: a key letter, the index or the rounding has no value."""


class Nomenclature:
    """All acts with their periods, and what their tariffs are made of.

    `is_sample`: the acts are those of the program, which are no official list. `digest`: SHA-256 over the acts.
    """

    def __init__(
        self, acts: Mapping[str, Sequence[Act]], tariff: TariffTerms, *, is_sample: bool = False, digest: str = ""
    ) -> None:
        self._acts, self._tariff, self.is_sample, self.digest = acts, tariff, is_sample, digest
        self._words = {code: _normal(f"{code} {' '.join(_labels(periods))}") for code, periods in acts.items()}

    def __contains__(self, code: str) -> bool:
        """Return whether a code is that of an act on any day."""
        return code in self._acts

    def act(self, code: str, on: date) -> Act | None:
        """Return the act with a code as it holds on a day, None when there is none on that day."""
        for act in self._acts.get(code, ()):
            if act.valid_from <= on and (act.valid_to is None or on <= act.valid_to):
                return act
        return None

    def acts(self, on: date) -> Iterator[Act]:
        """Yield all acts of a day, by code."""
        for code in sorted(self._acts):
            if (act := self.act(code, on)) is not None:
                yield act

    def price(self, act: Act, on: date, quantity: int = 1) -> Price:
        """Return the tariff of acts on a day; that of a convenience is 0, for its amount is free.

        tariff = coefficient x key letter x index / 100, rounded half up to the step of the day (article 65 CSS).

        Raises: NoTariff.
        """
        if act.coefficient is None:
            unit = act.fixed or Decimal("0.00")
            return Price(unit=unit, exact=unit, total=unit * quantity)
        key, index = _value(self._tariff.key_letters.get(act.key, ()), on), _value(self._tariff.index, on)
        exact = act.coefficient * key * index / 100
        unit = round_to(exact, _value(self._tariff.rounding, on))
        return Price(
            unit=unit, exact=exact, total=unit * quantity, coefficient=act.coefficient, key_value=key, index=index
        )

    def search(self, text: str, on: date, limit: int = 20) -> list[Act]:
        """Return acts of a day by code or by words of a label in any language, those with such a code first."""
        words = _normal(text).split()
        if not words or limit < 1:
            return []
        found = [code for code, known in self._words.items() if all(word in known for word in words)]
        found.sort(key=lambda code: (code.casefold() != words[0], not code.casefold().startswith(words[0]), code))
        acts = (act for code in found if (act := self.act(code, on)) is not None)
        return [act for act, _ in zip(acts, range(limit), strict=False)]

    def boundaries(self) -> set[date]:
        """Return the days on which an act or a tariff becomes another."""
        values = [self._tariff.index, self._tariff.rounding, *self._tariff.key_letters.values()]
        found = {one.valid_from for group in values for one in group}
        for periods in self._acts.values():
            for act in periods:
                found.add(act.valid_from)
                if act.valid_to is not None and act.valid_to < date.max:
                    found.add(act.valid_to + timedelta(days=1))
        return found


def round_to(amount: Decimal, step: Decimal) -> Decimal:
    """Return an amount rounded half up to a multiple of a step, with two decimals."""
    return ((amount / step).quantize(Decimal(1), ROUND_HALF_UP) * step).quantize(Decimal("0.01"))


def nomenclature() -> Nomenclature:
    """Return the nomenclature in use: the agency's file, or the sample of the program.

    It is read once for a folder. Raises: ValueError when a row of it is refused; then nothing of it is used.
    """
    return _load(current_folder())


def report_of(text: str) -> LoadReport:
    """Return what a CSV text holds, and which rows of it are refused. Raises: ValueError when it is no such table."""
    return load_acts(text, _vocabulary())


@lru_cache(maxsize=4)
def _load(folder: Path | None) -> Nomenclature:
    text = data_text(PACKAGE, ACTS)
    report = report_of(text)
    if report.refusals:
        first = report.refusals[0]
        raise ValueError(f"{ACTS}: {len(report.refusals)} rows are refused; line {first.row}: {first.reason}")
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Nomenclature(report.acts, load_tariff(), is_sample=not has_own(ACTS), digest=digest)


def _vocabulary() -> Vocabulary:
    known = directory_catalogue()
    return Vocabulary(
        keys=load_tariff().key_letters.keys(), professions=known.professions, specialities=known.specialities
    )


def _value(values: Sequence[Value], on: date) -> Decimal:
    place = bisect_right(values, on, key=lambda one: one.valid_from)
    if place == 0:
        raise NoTariff(f"no value on {on.isoformat()}")
    return values[place - 1].value


def _labels(periods: Sequence[Act]) -> Iterator[str]:
    for act in periods:
        yield from act.labels.values()


def _normal(text: str) -> str:
    """Return a text without accents and case, as it is searched."""
    plain = unicodedata.normalize("NFKD", text)
    return "".join(char for char in plain if not unicodedata.combining(char)).casefold()
