"""The catalogue of vaccine products: data/products.csv, packages.csv, vaccine_codes.csv, antigens.toml, recalls.csv.

The country's official list is the agency's to load in their place; whatever is marked as a sample is invented.
"""

import csv
import re
import tomllib
from calendar import monthrange
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from io import StringIO

from esante.core.dated_data import packaged_text

_PACKAGE = "esante.services.vaccination"
_AGE = re.compile(r"(\d+)([dwmy])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Antigen:
    """A disease that vaccines protect against: `label` is a msgid, `disease` its SNOMED CT code.

    `in_rules` is its name in the calendar, "" where that says nothing of it.
    """

    key: str
    in_rules: str
    label: str
    disease: str


@dataclass(frozen=True, slots=True)
class Age:
    """An age as product information gives it: a number of days, weeks, months or years (`unit`: d, w, m, y)."""

    number: int
    unit: str

    def on(self, birth_date: date) -> date:
        """Return the day on which somebody reaches the age."""
        if self.unit in "dw":
            return birth_date + timedelta(days=self.number * (7 if self.unit == "w" else 1))
        months = self.number * (12 if self.unit == "y" else 1)
        year, month = divmod(birth_date.year * 12 + birth_date.month - 1 + months, 12)
        day = min(birth_date.day, monthrange(year, month + 1)[1])
        return date(year, month + 1, day)


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A vaccine product. `cvx` are codes of the vaccine groups in it (CDC CVX), `manufacturer` is a CDC MVX code.

    `live`: a live vaccine; `route` is a code of v3-RouteOfAdministration; None for an age: no limit.
    """

    key: str
    name: str
    manufacturer: str
    holder: str
    cvx: tuple[str, ...]
    atc: str
    antigens: tuple[str, ...]
    live: bool
    route: str
    min_age: Age | None
    max_age: Age | None
    valid_from: date
    valid_until: date | None
    legal_source: str
    verified: bool

    @property
    def injected(self) -> bool:
        """Whether it is neither swallowed nor sprayed."""
        return self.route not in ("PO", "NASINHLC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """A lot that must not be given any more from a day on."""

    product: str
    lot: str
    recalled_on: date
    legal_source: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All products, by key and by the GTIN (14 digits) of their packs; antigens by key; recalls.

    `generic`: antigens with the CVX code of a vaccine without a product, the largest first. `by_snomed`: antigens by
    the SNOMED CT code of a kind of vaccine.
    """

    products: Mapping[str, Product]
    by_gtin: Mapping[str, Product]
    antigens: Mapping[str, Antigen]
    recalls: tuple[Recall, ...]
    generic: tuple[tuple[frozenset[str], str], ...]
    by_snomed: Mapping[str, tuple[str, ...]]

    def of_vaccine(self, cvx: str = "", atc: str = "", snomed: str = "") -> tuple[str, ...]:
        """Return the antigens of a vaccine of which only a code is known; of several products, what all contain."""
        found = [set(one.antigens) for one in self.products.values() if cvx in one.cvx and one.cvx == (cvx,)]
        found = found or [set(antigens) for antigens, code in self.generic if code == cvx]
        found = found or [set(one.antigens) for one in self.products.values() if atc and one.atc == atc]
        common = set.intersection(*found) if found else set(self.by_snomed.get(snomed, ()))
        return tuple(key for key in self.antigens if key in common)

    def is_recalled(self, product: str, lot: str, on: date) -> bool:
        """Return whether a lot must not be given on a day."""
        return any(
            recall.product == product and normal_lot(recall.lot) == normal_lot(lot) and recall.recalled_on <= on
            for recall in self.recalls
        )


def normal_lot(lot: str) -> str:
    """Return a lot number as it is compared: without blanks and punctuation, in capitals."""
    return "".join(char for char in lot.upper() if char.isalnum())


_with_samples = False


def use_samples(wanted: bool) -> None:
    """Take invented packs and recalls into the catalogue, or not: a demonstration has them, and nobody else."""
    global _with_samples  # noqa: PLW0603 - what the installation is, set once when it is built
    _with_samples = wanted


def catalogue() -> Catalogue:
    """Return the catalogue of the packaged data. Raises: ValueError for a row that names what does not exist."""
    return _load(_with_samples)


@cache
def _load(samples: bool) -> Catalogue:
    table = tomllib.loads(_text("antigens.toml"))
    antigens = {one["key"]: Antigen(**one) for one in table["antigen"]}
    generic = tuple((frozenset(one["antigens"]), str(one["cvx"])) for one in table["generic"])
    products = {row["key"]: _product(row) for row in _rows("products.csv")}
    for product in products.values():
        if unknown := set(product.antigens) - set(antigens):
            raise ValueError(f"products.csv: {product.key} has unknown antigens: {sorted(unknown)}")
    packages, recalls = _rows("packages.csv"), _rows("recalls.csv")
    by_gtin = {row["gtin"]: products[row["product"]] for row in packages if samples or row["sample"] != "yes"}
    taken = tuple(_recall(row, products) for row in recalls if samples or row["sample"] != "yes")
    by_snomed = {row["snomed"]: tuple(row["antigens"].split()) for row in _rows("vaccine_codes.csv")}
    if unknown := {key for keys in by_snomed.values() for key in keys} - set(antigens):
        raise ValueError(f"vaccine_codes.csv has unknown antigens: {sorted(unknown)}")
    return Catalogue(products, by_gtin, antigens, taken, generic, by_snomed)


def _product(row: Mapping[str, str]) -> Product:
    return Product(
        key=row["key"],
        name=row["name"],
        manufacturer=row["manufacturer"],
        holder=row["holder"],
        cvx=tuple(row["cvx"].split()),
        atc=row["atc"],
        antigens=tuple(row["antigens"].split()),
        live=row["live"] == "yes",
        route=row["route"],
        min_age=_age(row["min_age"]),
        max_age=_age(row["max_age"]),
        valid_from=date.fromisoformat(row["valid_from"]),
        valid_until=date.fromisoformat(row["valid_until"]) if row["valid_until"] else None,
        legal_source=row["legal_source"],
        verified=row["verified"] == "true",
    )


def _recall(row: Mapping[str, str], products: Mapping[str, Product]) -> Recall:
    return Recall(
        product=products[row["product"]].key,
        lot=row["lot"],
        recalled_on=date.fromisoformat(row["recalled_on"]),
        legal_source=row["legal_source"],
        verified=row["verified"] == "true",
    )


def _age(text: str) -> Age | None:
    if not text:
        return None
    match = _AGE.fullmatch(text)
    if match is None:
        raise ValueError(f"products.csv: {text!r} is no age")
    return Age(int(match[1]), match[2])


def _rows(name: str) -> Iterator[dict[str, str]]:
    return csv.DictReader(StringIO(_text(name)))


def _text(name: str) -> str:
    return packaged_text(_PACKAGE, name)
