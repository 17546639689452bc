"""Parsing of the values of search parameters (search.html, "escaping" and the sections on each type)."""

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import NoReturn

from esante.core.fhir.fhirpath import resource_types
from esante.core.fhir.search.indexing import dates
from esante.core.fhir.search.indexing.numbers import bounds_around, to_number
from esante.core.fhir.search.indexing.text_normalization import normalize
from esante.core.fhir.search.model import (
    CompositeValue,
    DateValue,
    NumberValue,
    ReferenceValue,
    StringValue,
    TokenValue,
    Value,
)
from esante.core.fhir.search.parameters import Parameter
from esante.core.web import N_, bad_request

_PREFIX = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?(.*)", re.DOTALL)
_NUMBER = re.compile(r"([+-]?)(\d{1,40})(?:\.(\d{1,40}))?(?:[eE]([+-]?\d{1,3}))?", re.ASCII)
_ESCAPED = re.compile(r"\\([\\,$|])")
_LOCAL = re.compile(r"(?:(.*)/)?([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?")
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


def refuse(place: str, title: str, remedy: str) -> NoReturn:
    """Refuse the search for an error at a parameter. Raises: `Problem` 400."""
    raise bad_request(place[:100], title, remedy)


def split_unescaped(text: str, mark: str) -> list[str]:
    """Return the parts between marks that are not escaped; escapes stay."""
    parts, start, at = [], 0, 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == mark:
            parts.append(text[start:at])
            start = at + 1
        at += 1
    return [*parts, text[start:]]


def unescape(text: str) -> str:
    """Return the text with its escapes replaced."""
    return _ESCAPED.sub(r"\1", text)


class ValueParser:
    """Parses the values of one parameter.

    `name` is its name in the address, for errors. `base_url` is the base of the addresses of this server's resources:
    a reference is equal with and without it.
    """

    def __init__(self, name: str, parameter: Parameter, modifier: str, base_url: str) -> None:
        self._name, self._parameter, self._modifier, self._base_url = name, parameter, modifier, base_url

    def parse_all(self, text: str) -> tuple[Value, ...]:
        """Return the values between commas. Raises: `Problem` 400."""
        return tuple(self._parse_one(part) for part in split_unescaped(text, ",") if part)

    def _parse_one(self, text: str) -> Value:
        match self._modifier:
            case "exact" | "contains" | "text":
                return self._parse_string(text)
            case "identifier":
                return self._parse_token(text)
            case "of-type":
                return self._parse_of_type(text)
            case _ if self._parameter.type == "composite":
                return self._parse_composite(text)
        return self._parser_of(self._parameter.type)(text)

    def _parser_of(self, kind: str) -> Callable[[str], Value]:
        readers: dict[str, Callable[[str], Value]] = {
            "token": self._parse_token,
            "string": self._parse_string,
            "date": self._parse_date,
            "number": self._parse_number,
            "quantity": self._parse_quantity,
            "uri": self._parse_uri,
            "reference": self._parse_reference,
        }
        return readers[kind]

    def _parse_token(self, text: str) -> TokenValue:
        parts = [unescape(part) for part in split_unescaped(text, "|")]
        if len(parts) > 2 or parts == ["", ""]:
            refuse(
                self._name, N_("This is not a valid code."), N_("Use the format code, system|code, |code or system|.")
            )
        code = parts[-1].lower() or None
        return TokenValue(None, code) if len(parts) == 1 else TokenValue(parts[0], code)

    def _parse_of_type(self, text: str) -> StringValue:
        parts = [unescape(part) for part in split_unescaped(text, "|")]
        if len(parts) != 3 or not all(parts):
            refuse(
                self._name,
                N_("This is not a valid identifier with its type."),
                N_("Use the format system|code|value."),
            )
        return StringValue("|".join(parts).lower(), "")

    def _parse_string(self, text: str) -> StringValue:
        text = unescape(text)
        return StringValue(text, normalize(text))

    def _parse_date(self, text: str) -> DateValue:
        found = dates.parse_search_date(unescape(text))
        if found is None:
            refuse(
                self._name,
                N_("This is not a valid date."),
                N_("Use the format YYYY, YYYY-MM, YYYY-MM-DD, or include the full time."),
            )
        prefix, (low, high) = found
        return DateValue(prefix, low, high)

    def _parse_number(self, text: str) -> NumberValue:
        prefix, digits = _PREFIX.fullmatch(text).groups()  # type: ignore[union-attr] # matches any text
        match = _NUMBER.fullmatch(digits.replace(" ", "+"))
        value = to_number(Decimal(match[0])) if match else None
        if match is None or value is None:
            refuse(
                self._name,
                N_("This is not a valid number."),
                N_("Use digits and a decimal point, for example 5.4 or 1e-3."),
            )
        half = Decimal(5).scaleb(int(match[4] or 0) - len(match[3] or "") - 1)
        return NumberValue(prefix or "eq", value, *bounds_around(value, half))

    def _parse_quantity(self, text: str) -> NumberValue:
        number_, *unit = (unescape(part) for part in split_unescaped(text, "|"))
        amount = self._parse_number(number_)
        if len(unit) not in (0, 2):
            refuse(
                self._name,
                N_("This is not a valid quantity."),
                N_("Use the format number, number|system|code or number||unit."),
            )
        if not unit:
            return amount
        return amount._replace(system=unit[0] or None, unit=unit[1] or None)

    def _parse_uri(self, text: str) -> ReferenceValue:
        return ReferenceValue((unescape(text),))

    def _parse_reference(self, text: str) -> ReferenceValue:
        text = unescape(text)
        types = self._target_types()
        match = _LOCAL.fullmatch(text)
        if _ID.fullmatch(text):
            return self._local_references(f"{type_}/{text}" for type_ in types)
        if match is None or match[2] not in resource_types():
            return ReferenceValue((text,))
        if match[2] not in types:
            return ReferenceValue(())
        if match[1] in (None, self._base_url):
            return self._local_references([f"{match[2]}/{match[3]}"])
        return ReferenceValue((text.partition("/_history/")[0],))

    def _local_references(self, found: Iterable[str]) -> ReferenceValue:
        """Return references to resources of this server, each with and without its base address."""
        texts = tuple(found)
        return ReferenceValue(texts + tuple(f"{self._base_url}/{each}" for each in texts if self._base_url))

    def _target_types(self) -> tuple[str, ...]:
        """Return the types that the reference may be to."""
        only = self._modifier or next((key.target_type for key in self._parameter.keys if key.target_type), None)
        return (only,) if only else self._parameter.target

    def _parse_composite(self, text: str) -> CompositeValue:
        components = self._parameter.alternatives[0].components
        parts = split_unescaped(text, "$")
        if len(parts) != len(components):
            refuse(
                self._name,
                N_("This parameter needs several values together."),
                N_("Separate the values with $."),
            )
        readers = [
            ValueParser(self._name, Parameter.of_component(component), "", self._base_url) for component in components
        ]
        return CompositeValue(tuple(reader._parse_one(part) for reader, part in zip(readers, parts, strict=True)))
