"""Radiation dose reports in DICOM JSON (PS3.16, TID 10001 and 10011): what each irradiation gave."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from esante.core.types import Json
from esante.services.imaging.ingest.values import items_of

DOSE_REPORTS = ("1.2.840.10008.5.1.4.1.1.88.67", "1.2.840.10008.5.1.4.1.1.88.76")
"""The SOP classes of dose reports: X-Ray Radiation Dose SR and its enhanced form."""
_DOCUMENT = "113701"
_EVENTS = frozenset({"113819", "113706"})
"""CT Acquisition; Irradiation Event X-Ray Data."""
_EVENT_UID, _REGION = "113769", "123014"


class Quantity(Enum):
    """What is measured: the dose-length product of CT in mGy.cm, or the dose-area product in Gy.cm2."""

    DLP = "mGy·cm"
    DAP = "Gy·cm²"


_AMOUNTS = {"113838": Quantity.DLP, "122130": Quantity.DAP}
"""DLP of an acquisition; Dose Area Product of an exposure."""
_TOTALS = {"113813": Quantity.DLP, "113722": Quantity.DAP}
_UNITS = {
    "mGy.cm": (Quantity.DLP, 1.0),
    "Gy.m2": (Quantity.DAP, 10_000.0),
    "Gy.cm2": (Quantity.DAP, 1.0),
    "dGy.cm2": (Quantity.DAP, 0.1),
    "cGy.cm2": (Quantity.DAP, 0.01),
    "mGy.cm2": (Quantity.DAP, 0.001),
    "uGy.m2": (Quantity.DAP, 0.01),
}
"""The units (UCUM) that are read, and what one is in that of the quantity."""
_MOST = 1e6
"""An amount that nobody survives: a larger one is an error of the device, and is left out."""


@dataclass(frozen=True, slots=True)
class Irradiation:
    """One irradiation, or the sum of a report that lists none (`event_uid` ""); `region`: a code, "" for none."""

    event_uid: str
    region: str
    quantity: Quantity
    amount: float


def read_dose_report(header: Json) -> list[Irradiation]:
    """Return the irradiations of a report; its sums where it lists none; nothing for another document."""
    if _concept(header) != _DOCUMENT:
        return []
    every = [*_walk(header)]
    found = [one for item in every if _concept(item) in _EVENTS for one in _irradiation(item)]
    if found:
        return found
    sums = [(_TOTALS[_concept(item)], item) for item in every if _concept(item) in _TOTALS]
    return [
        Irradiation("", "", quantity, amount)
        for quantity, item in sums
        if (amount := _amount(item, quantity)) is not None
    ]


def _irradiation(event: Json) -> Iterator[Irradiation]:
    """Yield what one event gave: one amount, or none where the report has none."""
    uid = region = ""
    for item in _walk(event):
        concept = _concept(item)
        if concept == _EVENT_UID:
            uid = uid or _text(item, "0040A124")
        elif concept == _REGION:
            region = region or _code(item, "0040A168")
    for item in _walk(event):
        quantity = _AMOUNTS.get(_concept(item))
        if quantity is not None and (amount := _amount(item, quantity)) is not None:
            yield Irradiation(uid, region, quantity, amount)
            return


def _walk(item: Json) -> Iterator[Json]:
    """Yield the content items below one, at every depth (ingest bounds it)."""
    for inner in items_of(item, "0040A730"):
        yield inner
        yield from _walk(inner)


def _concept(item: Json) -> str:
    return _code(item, "0040A043")


def _code(item: Json, tag: str) -> str:
    return next((_text(one, "00080100") for one in items_of(item, tag)), "")


def _text(item: Json, tag: str) -> str:
    value = next(iter(item.get(tag, {}).get("Value", ())), "")
    return value if isinstance(value, str) else ""


def _amount(item: Json, quantity: Quantity) -> float | None:
    """Return the amount of an item in the unit of the quantity; None for none, another unit, and what cannot be."""
    for measured in items_of(item, "0040A300"):
        unit, factor = _UNITS.get(_code(measured, "004008EA"), (None, 0.0))
        value = next(iter(measured.get("0040A30A", {}).get("Value", ())), None)
        if unit is quantity and isinstance(value, int | float) and 0 <= value * factor < _MOST:
            return value * factor
    return None
