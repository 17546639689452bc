"""The fields of the forms of the card: what people write in them, as entries; and what is shown of them again."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from uuid import UUID

from starlette.datastructures import FormData

from esante.core import clock
from esante.core.storage import parse_uuid, uuid7
from esante.core.time_zone import day_of
from esante.core.types import Json
from esante.core.web import N_, Problem, bad_request
from esante.services.vaccination.card.checks import may_vaccinate
from esante.services.vaccination.card.model import DoseEntry, DoseStatus
from esante.services.vaccination.card.service import PLACE
from esante.services.vaccination.products.catalogue import Catalogue, Product, catalogue
from esante.services.vaccination.scan.pack_code import PackCode

ROWS, MORE_ROWS, MOST_ROWS = 6, 4, 20
"""Rows of the form for a paper card: at first, added at a time, at most."""
_FIELDS = (
    "key",
    "product",
    "name",
    "dose_number",
    "lot",
    "expires_on",
    "produced_on",
    "serial",
    "gtin",
    "site",
    "route",
    "place",
    "occurred",
    "note",
    "reason",
    "why",
    "version",
)
_ANTIGEN = "antigen:"
_PLACE = re.compile(rf"{PLACE}\[(\d+)\]\.(\w+)")
_WRITTEN_DATE = re.compile(r"(?:(?:(\d{1,2})[./ ])?(\d{1,2})[./ ])?(\d{4})")


def read_values(form: FormData) -> Json:
    """Return the fields of a form of one dose as they were written, to show them again."""
    values: Json = {name: str(form.get(name, "")).strip() for name in _FIELDS}
    values["antigens"] = [str(value) for value in form.getlist("antigens")]
    return values


def new_values(code: PackCode | None, product: Product | None) -> Json:
    """Return the fields of a new dose that is given today, of a code that was read (None: by hand)."""
    values: Json = dict.fromkeys(_FIELDS, "")
    values |= {"key": str(uuid7()), "antigens": [], "occurred": day_of(clock.now()).isoformat()}
    if code:
        values |= {"gtin": code.gtin, "lot": code.lot, "serial": code.serial}
        for name, day in (("expires_on", code.expires_on), ("produced_on", code.produced_on)):
            values[name] = day.isoformat() if day else ""
    if product:
        values |= {"product": product.key, "route": product.route}
    return values


def entry_of(
    values: Mapping[str, object], status: DoseStatus = DoseStatus.GIVEN, *, given_here: bool = True
) -> DoseEntry:
    """Return the entry that the fields of a form make. Raises: `Problem` 400 for a field that is wrong."""
    text = {name: str(value) for name, value in values.items() if isinstance(value, str)}
    antigens = values.get("antigens", [])
    number = text.get("dose_number", "")
    return DoseEntry(
        key=_key(text["key"]),
        status=status,
        product=text.get("product", ""),
        name=text.get("name", ""),
        antigens=tuple(str(one) for one in antigens) if isinstance(antigens, list) else (),
        occurred=written_date(text.get("occurred", "")),
        dose_number=_number(number) if number else None,
        lot=text.get("lot", ""),
        expires_on=read_last_day(text.get("expires_on", ""), "expires_on"),
        produced_on=read_day(text.get("produced_on", ""), "produced_on"),
        serial=text.get("serial", ""),
        gtin=text.get("gtin", ""),
        site=text.get("site", ""),
        route=text.get("route", ""),
        place=text.get("place", ""),
        note=text.get("note", ""),
        reason=text.get("reason", "") if status is DoseStatus.NOT_GIVEN else "",
        given_here=given_here,
    )


def read_rows(form: FormData) -> list[Json]:
    """Return the rows of the form for a paper card, as they were written."""
    count = min(sum(1 for name in form if name.startswith("key_")), MOST_ROWS)
    names = ("key", "occurred", "product", "lot", "place")
    return [{name: str(form.get(f"{name}_{row}", "")).strip() for name in names} for row in range(count)]


def new_rows(count: int) -> list[Json]:
    """Return empty rows for a paper card."""
    return [{"key": str(uuid7()), "occurred": "", "product": "", "lot": "", "place": ""} for _ in range(count)]


def entries_of_rows(rows: list[Json]) -> list[tuple[int, DoseEntry]]:
    """Return the entries of the rows that are not empty, each with the number of its row.

    Raises: `Problem` 400 with the place of the row.
    """
    entries = []
    for number, row in enumerate(rows):
        if not (row["occurred"] or row["product"] or row["lot"]):
            continue
        product, antigens = row["product"], []
        if product.startswith(_ANTIGEN):
            product, antigens = "", product.removeprefix(_ANTIGEN).split("+")
        values = row | {"product": product, "antigens": antigens}
        try:
            entries.append((number, entry_of(values, given_here=False)))
        except Problem as problem:
            problem.place = f"{problem.place}_{number}"
            raise
    return entries


def field_of(place: str, rows: Sequence[int] = ()) -> str:
    """Return the field of a form that the place of a problem with an entry means; `rows`: of several entries."""
    match = _PLACE.fullmatch(place)
    if match is None:
        return place
    return f"{match[2]}_{rows[int(match[1])]}" if rows else match[2]


def product_choices(
    gettext: Callable[[str], str], profession: str, *, with_antigens: bool
) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return what can be chosen as vaccine, in groups: products by name, and diseases where only those are known.

    `profession`: only what it gives; "": all.
    """
    known: Catalogue = catalogue()
    on = day_of(clock.now())
    given = (one for one in known.products.values() if not profession or may_vaccinate(profession, one.antigens, on))
    products = sorted(((one.key, one.name) for one in given), key=lambda pair: pair[1].casefold())
    groups = [(gettext(N_("Vaccines")), products)]
    if with_antigens:
        single = [(f"{_ANTIGEN}{key}", gettext(one.label)) for key, one in known.antigens.items()]
        common = ["diphtheria+tetanus+pertussis+polio", "diphtheria+tetanus", "measles+mumps+rubella"]
        several = [
            (f"{_ANTIGEN}{keys}", ", ".join(gettext(known.antigens[key].label) for key in keys.split("+")))
            for keys in common
        ]
        groups.append((gettext(N_("Name unknown, protects against")), [*several, *sorted(single, key=lambda p: p[1])]))
    return groups


def written_date(text: str) -> str:
    """Return a date as people write it (17.5.2015, 5/2015, 2015, 2015-05-17) as a FHIR date; another text as it is."""
    match = _WRITTEN_DATE.fullmatch(text)
    if match is None:
        return text
    day, month, year = match.groups()
    return "-".join(part.zfill(2) for part in (year, month, day) if part)


def read_day(text: str, place: str) -> date | None:
    """Return a day of a form, None for none. Raises: `Problem` 400 for another text."""
    if not text:
        return None
    try:
        return date.fromisoformat(written_date(text))
    except ValueError as error:
        title, remedy = N_("This is not a valid day."), N_("Use the format YYYY-MM-DD.")
        raise bad_request(place, title, remedy, code="value") from error


def read_last_day(text: str, place: str) -> date | None:
    """Return the last day of a month (2027-03) or a day, as packs print it. Raises: as `read_day`."""
    written = written_date(text)
    if len(written) == 7:
        first = read_day(f"{written}-01", place)
        return first and (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return read_day(text, place)


def _key(text: str) -> UUID:
    try:
        return parse_uuid(text)
    except ValueError as error:
        title, remedy = N_("This form is not complete."), N_("Open the page again and send the form again.")
        raise bad_request("key", title, remedy) from error


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 3:
        raise bad_request("dose_number", N_("This is not a number of a dose."), code="value")
    return int(text)
