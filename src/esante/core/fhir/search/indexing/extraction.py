"""Extraction of the values that searches compare from elements of a resource (search.html, sections on each type).

Each function adds the values of one element to `out[key]`. The key is present as soon as the resource has the element,
even one without a searchable value, for `:missing`. Shapes, chosen for the SQL that compares them:

token       {code: [systems]}; the code in lower case, "" for no system. `key:text` has its texts: [normalized, ...],
            `key:of-type` the values of `:of-type`: ["system|code|value"]
string      [[normalized, exact], ...]
date        [[low, high], ...] microseconds since 1970, high exclusive
number      [[low, high], ...] equal but for a Range
quantity    [[low, high, code, system, unit], ...] and, where the unit is one of UCUM: dimension, low and high in its
            base units
uri         [text, ...]
reference   ["Type/id" or address, ...], without version; `key:identifier` is a token
"""

import functools
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from esante.core.fhir.search.indexing import dates
from esante.core.fhir.search.indexing.numbers import CURRENCY, LEAST, MOST, Number, convert, find_unit, to_number
from esante.core.fhir.search.indexing.text_normalization import normalize

IndexValues = dict[str, Any]
"""The index of a resource: values by key, in the shapes above."""
Extractor = Callable[[IndexValues, str, Any], None]
"""Adds the values of an element to a key."""
_OPEN_BELOW, _OPEN_ABOVE = ("<", "<="), (">", ">=")


def add_code(out: IndexValues, key: str, value: Any) -> None:
    """Add a code, id, string or uri as a token without a system."""
    _add_token(out, key, value, "")


def add_boolean(out: IndexValues, key: str, value: Any) -> None:
    """Add a boolean as a token."""
    _add_token(out, key, "true" if value else "false", "")


def _add_token(out: IndexValues, key: str, value: str, system: str) -> None:
    codes = out.get(key)
    if codes is None:
        out[key] = {value.lower(): [system]}
        return
    value = value.lower()
    systems = codes.get(value)
    if systems is None:
        codes[value] = [system]
    elif system not in systems:
        systems.append(system)


def _add_text(out: IndexValues, key: str, value: str) -> None:
    text = normalize(value)
    texts = out.get(key)
    if texts is None:
        out[key] = [text]
    elif text not in texts:
        texts.append(text)


def add_coding(out: IndexValues, key: str, value: Any) -> None:
    """Add a Coding, with its display for `:text`."""
    if "code" in value:
        _add_token(out, key, value["code"], value.get("system", ""))
    elif "system" in value:
        _add_token(out, key, "", value["system"])
    else:
        out.setdefault(key, {})
    if "display" in value:
        _add_text(out, key + ":text", value["display"])


def add_codeable_concept(out: IndexValues, key: str, value: Any) -> None:
    """Add each coding of a CodeableConcept, and its text for `:text`."""
    if key not in out:
        out[key] = {}
    for each in value.get("coding") or ():
        add_coding(out, key, each)
    if "text" in value:
        _add_text(out, key + ":text", value["text"])


def add_identifier(out: IndexValues, key: str, value: Any) -> None:
    """Add an Identifier: system and value; the text of its type for `:text`, the codes of its type for `:of-type`."""
    text = value.get("value")
    system = value.get("system", "")
    if text is not None or system:
        _add_token(out, key, text or "", system)
    else:
        out.setdefault(key, {})
    type_ = value.get("type")
    if type_ is None:
        return
    if "text" in type_:
        _add_text(out, key + ":text", type_["text"])
    for each in type_.get("coding") or ():
        if text is not None and "code" in each:
            found = f"{each.get('system', '')}|{each['code']}|{text}"
            out.setdefault(key + ":of-type", []).append(found.lower())


def add_contact_point(out: IndexValues, key: str, value: Any) -> None:
    """Add the value of a ContactPoint."""
    if "value" in value:
        _add_token(out, key, value["value"], "")
    else:
        out.setdefault(key, {})


def add_string(out: IndexValues, key: str, value: Any) -> None:
    """Add a string."""
    entry = [normalize(value), value]
    entries = out.get(key)
    if entries is None:
        out[key] = [entry]
    elif entry not in entries:
        entries.append(entry)


def add_human_name(out: IndexValues, key: str, value: Any) -> None:
    """Add each part of a HumanName, and its `text`."""
    _add_parts(out, key, value, ("text", "family", "given", "prefix", "suffix"))


def add_address(out: IndexValues, key: str, value: Any) -> None:
    """Add each part of an Address, and its `text`."""
    _add_parts(out, key, value, ("text", "line", "city", "district", "state", "postalCode", "country"))


def _add_parts(out: IndexValues, key: str, value: Any, names: tuple[str, ...]) -> None:
    out.setdefault(key, [])
    for each in names:
        part = value.get(each)
        for text in part if isinstance(part, list) else (part,):
            if text is not None:
                add_string(out, key, text)


def add_date(out: IndexValues, key: str, value: Any) -> None:
    """Add the range of a date, dateTime or instant."""
    _add_range(out, key, dates.covered_range(value))


def add_period(out: IndexValues, key: str, value: Any) -> None:
    """Add the range of a Period."""
    _add_range(out, key, dates.period_range(value))


def add_timing(out: IndexValues, key: str, value: Any) -> None:
    """Add the outer limits of a Timing."""
    _add_range(out, key, dates.timing_range(value))


def _add_range(out: IndexValues, key: str, found: tuple[Number, Number] | None) -> None:
    entries = out.get(key)
    if entries is None:
        out[key] = [] if found is None else [found]
    elif found is not None and found not in entries:
        entries.append(found)


def add_number(out: IndexValues, key: str, value: Any) -> None:
    """Add an integer or a decimal."""
    found = to_number(value)
    _add_range(out, key, None if found is None else (found, found))


def add_number_range(out: IndexValues, key: str, value: Any) -> None:
    """Add a Range as numbers, without its units."""
    low, high = (to_number((value.get(end) or {}).get("value")) for end in ("low", "high"))
    none = low is None and high is None
    _add_range(out, key, None if none else (LEAST if low is None else low, MOST if high is None else high))


def add_quantity(out: IndexValues, key: str, value: Any) -> None:
    """Add a Quantity; one with a comparator as the range of its possible values."""
    found = to_number(value.get("value"))
    if found is None:
        out.setdefault(key, [])
        return
    comparator = value.get("comparator")
    low = LEAST if comparator in _OPEN_BELOW else found
    high = MOST if comparator in _OPEN_ABOVE else found
    _add_quantity(out, key, low, high, value)


def _add_quantity(out: IndexValues, key: str, low: Number, high: Number, value: Any) -> None:
    code, system = value.get("code"), value.get("system")
    entry: list[Any] = [low, high, code, system, value.get("unit")]
    known = find_unit(system, code)
    if known is not None:
        entry += (known.dimension, _to_base_units(low, known.factor), _to_base_units(high, known.factor))
    entries = out.get(key)
    if entries is None:
        out[key] = [entry]
    elif entry not in entries:
        entries.append(entry)


def _to_base_units(value: Number, factor: Decimal) -> Number:
    return value if value is LEAST or value is MOST else convert(value, factor)


def add_money(out: IndexValues, key: str, value: Any) -> None:
    """Add a Money, with the currency as its unit."""
    currency = value.get("currency")
    unit_ = {"code": currency, "system": CURRENCY} if currency else {}
    add_quantity(out, key, {"value": value.get("value"), **unit_})


def add_quantity_range(out: IndexValues, key: str, value: Any) -> None:
    """Add a Range, from its low to its high end."""
    low, high = value.get("low") or {}, value.get("high") or {}
    first, last = to_number(low.get("value")), to_number(high.get("value"))
    if first is None and last is None:
        out.setdefault(key, [])
        return
    _add_quantity(out, key, LEAST if first is None else first, MOST if last is None else last, low or high)


def add_sampled_data(out: IndexValues, key: str, value: Any) -> None:
    """Add the least and the greatest value of a SampledData as a range."""
    origin = value.get("origin") or {}
    found = _sampled_bounds(value, to_number(origin.get("value")) or 0)
    if found is None:
        out.setdefault(key, [])
    else:
        _add_quantity(out, key, *found, origin)


def _sampled_bounds(value: Any, origin: Number) -> tuple[Decimal, Decimal] | None:
    factor = Decimal(to_number(value.get("factor", 1)) or 1)
    limits = {"L": to_number(value.get("lowerLimit")), "U": to_number(value.get("upperLimit"))}
    read = [limits[text] if text in limits else _parse_decimal(text) for text in (value.get("data") or "").split()]
    values = [each * factor + origin for each in read if each is not None]
    return (Decimal(min(values)), Decimal(max(values))) if values else None


def _parse_decimal(text: str) -> Decimal | None:
    try:
        found = to_number(Decimal(text))
    except ArithmeticError:
        return None
    return None if found is None else Decimal(found)


def add_uri(out: IndexValues, key: str, value: Any) -> None:
    """Add a uri; a canonical one with a version also without it."""
    entries = out.setdefault(key, [])
    for text in (value, value.partition("|")[0]) if "|" in value else (value,):
        if text not in entries:
            entries.append(text)


def add_reference(out: IndexValues, key: str, value: Any) -> None:
    """Add the address of a Reference, without version, and its identifier for `:identifier`."""
    entries = out.get(key)
    if entries is None:
        entries = out[key] = []
    text = value.get("reference")
    if text and text[0] != "#":
        text = text.partition("/_history/")[0]
        if text not in entries:
            entries.append(text)
    if "identifier" in value:
        add_identifier(out, key + ":identifier", value["identifier"])


def add_resource(out: IndexValues, key: str, value: Any) -> None:
    """Add a resource within a Bundle, for parameters of type reference."""
    entries = out.setdefault(key, [])
    if "id" in value:
        entries.append(f"{value['resourceType']}/{value['id']}")


_STRING_TYPES = ("string", "markdown")
_DATE_TYPES = ("date", "dateTime", "instant")
_URI_TYPES = ("uri", "url", "canonical", "oid", "uuid")
_QUANTITY_TYPES = ("Quantity", "Age", "Count", "Distance", "Duration")

_EXTRACTORS: dict[str, dict[str, Extractor]] = {
    "token": {
        **dict.fromkeys(("code", "id", *_STRING_TYPES, *_URI_TYPES), add_code),
        **dict.fromkeys(("boolean", "System.Boolean"), add_boolean),
        "Coding": add_coding,
        "CodeableConcept": add_codeable_concept,
        "Identifier": add_identifier,
        "ContactPoint": add_contact_point,
    },
    "string": {**dict.fromkeys(_STRING_TYPES, add_string), "HumanName": add_human_name, "Address": add_address},
    "date": {**dict.fromkeys(_DATE_TYPES, add_date), "Period": add_period, "Timing": add_timing},
    "number": {
        **dict.fromkeys(("integer", "unsignedInt", "positiveInt", "decimal"), add_number),
        "Range": add_number_range,
    },
    "quantity": {
        **dict.fromkeys(_QUANTITY_TYPES, add_quantity),
        "Money": add_money,
        "Range": add_quantity_range,
        "SampledData": add_sampled_data,
    },
    "uri": dict.fromkeys(_URI_TYPES, add_uri),
    "reference": {**dict.fromkeys(_URI_TYPES, add_uri), "Reference": add_reference, "Resource": add_resource},
}


@functools.cache
def find_extractor(kind: str, type_: str) -> Extractor | None:
    """Return the extractor of a FHIR type for a kind of search parameter; None where the type has no such values."""
    return _EXTRACTORS[kind].get(type_)
