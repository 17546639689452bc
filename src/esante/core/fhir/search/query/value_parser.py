"""The values of search parameters as they are written in an address (search.html, "escaping" and each type)."""

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import NoReturn

from esante.core.fhir.fhirpath import resource_types
from esante.core.fhir.search.indexing import dates
from esante.core.fhir.search.indexing.numbers import around, number
from esante.core.fhir.search.indexing.text_normalization import normal
from esante.core.fhir.search.model import Address, Amount, Moments, Text, Together, Token, Value
from esante.core.fhir.search.parameters import Parameter
from esante.core.web import N_, Problem

_PREFIX = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?(.*)", re.DOTALL)
_NUMBER = re.compile(r"([+-]?)(\d{1,40})(?:\.(\d{1,40}))?(?:[eE]([+-]?\d{1,3}))?", re.ASCII)
_ESCAPED = re.compile(r"\\([\\,$|])")
_LOCAL = re.compile(r"(?:(.*)/)?([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?")
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


def bad(place: str, title: str, remedy: str) -> NoReturn:
    """Refuse the search for what is wrong at a parameter."""
    raise Problem(400, "invalid", title, place=place[:100], remedy=remedy)


def split(text: str, mark: str) -> list[str]:
    """The parts between marks that are not escaped; escapes stay."""
    parts, start, at = [], 0, 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == mark:
            parts.append(text[start:at])
            start = at + 1
        at += 1
    return [*parts, text[start:]]


def plain(text: str) -> str:
    """The text without escapes."""
    return _ESCAPED.sub(r"\1", text)


class Reader:
    """Reads the values of one parameter. `name` is its name in the address, for errors; `base_url` that of our own
    resources, so that a reference is the same with and without it."""

    def __init__(self, name: str, parameter: Parameter, modifier: str, base_url: str) -> None:
        self._name, self._parameter, self._modifier, self._base_url = name, parameter, modifier, base_url

    def all(self, text: str) -> tuple[Value, ...]:
        """The values between commas. Raises Problem 400."""
        return tuple(self._one(part) for part in split(text, ",") if part)

    def _one(self, text: str) -> Value:
        match self._modifier:
            case "exact" | "contains" | "text":
                return self._text(text)
            case "identifier":
                return self._token(text)
            case "of-type":
                return self._of_type(text)
            case _ if self._parameter.type == "composite":
                return self._composite(text)
        return self._reader(self._parameter.type)(text)

    def _reader(self, kind: str) -> Callable[[str], Value]:
        readers: dict[str, Callable[[str], Value]] = {
            "token": self._token,
            "string": self._text,
            "date": self._date,
            "number": self._number,
            "quantity": self._quantity,
            "uri": self._uri,
            "reference": self._reference,
        }
        return readers[kind]

    def _token(self, text: str) -> Token:
        parts = [plain(part) for part in split(text, "|")]
        if len(parts) > 2 or parts == ["", ""]:
            bad(self._name, N_("This is not a code."), N_("Write it as code, system|code, |code or system|."))
        code = parts[-1].lower() or None
        return Token(None, code) if len(parts) == 1 else Token(parts[0], code)

    def _of_type(self, text: str) -> Text:
        parts = [plain(part) for part in split(text, "|")]
        if len(parts) != 3 or not all(parts):
            bad(self._name, N_("This is not an identifier with its type."), N_("Write it as system|code|value."))
        return Text("|".join(parts).lower(), "")

    def _text(self, text: str) -> Text:
        text = plain(text)
        return Text(text, normal(text))

    def _date(self, text: str) -> Moments:
        found = dates.sought(plain(text))
        if found is None:
            bad(self._name, N_("This is not a date."), N_("Write it as YYYY, YYYY-MM, YYYY-MM-DD or a full time."))
        prefix, (low, high) = found
        return Moments(prefix, low, high)

    def _number(self, text: str) -> Amount:
        prefix, digits = _PREFIX.fullmatch(text).groups()  # type: ignore[union-attr] # matches any text
        match = _NUMBER.fullmatch(digits.replace(" ", "+"))
        value = number(Decimal(match[0])) if match else None
        if match is None or value is None:
            bad(self._name, N_("This is not a number."), N_("Write it with digits and a point, such as 5.4 or 1e-3."))
        half = Decimal(5).scaleb(int(match[4] or 0) - len(match[3] or "") - 1)
        return Amount(prefix or "eq", value, *around(value, half))

    def _quantity(self, text: str) -> Amount:
        number_, *unit = (plain(part) for part in split(text, "|"))
        amount = self._number(number_)
        if len(unit) not in (0, 2):
            bad(
                self._name,
                N_("This is not a quantity."),
                N_("Write it as number, number|system|code or number||unit."),
            )
        if not unit:
            return amount
        return amount._replace(system=unit[0] or None, unit=unit[1] or None)

    def _uri(self, text: str) -> Address:
        return Address((plain(text),))

    def _reference(self, text: str) -> Address:
        text = plain(text)
        types = self._types()
        match = _LOCAL.fullmatch(text)
        if _ID.fullmatch(text):
            return self._ours(f"{type_}/{text}" for type_ in types)
        if match is None or match[2] not in resource_types():
            return Address((text,))
        if match[2] not in types:
            return Address(())
        if match[1] in (None, self._base_url):
            return self._ours([f"{match[2]}/{match[3]}"])
        return Address((text.partition("/_history/")[0],))

    def _ours(self, found: Iterable[str]) -> Address:
        """References to resources of our own, which may be written with our address too."""
        texts = tuple(found)
        return Address(texts + tuple(f"{self._base_url}/{each}" for each in texts if self._base_url))

    def _types(self) -> tuple[str, ...]:
        """The types that the reference may be to."""
        only = self._modifier or next((key.only for key in self._parameter.keys if key.only), None)
        return (only,) if only else self._parameter.target

    def _composite(self, text: str) -> Together:
        components = self._parameter.alternatives[0].components
        parts = split(text, "$")
        if len(parts) != len(components):
            bad(
                self._name,
                N_("This parameter takes several values at once."),
                N_("Write its values one behind the other, with $ between them."),
            )
        readers = [Reader(self._name, Parameter.part(component), "", self._base_url) for component in components]
        return Together(tuple(reader._one(part) for reader, part in zip(readers, parts, strict=True)))
