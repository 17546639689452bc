"""Parsing of the parameters of an address to a search query (search.html)."""

import contextlib
from collections.abc import Iterable
from typing import NoReturn

from esante.core.fhir.definitions import load_definitions
from esante.core.fhir.fhirpath import resource_types
from esante.core.fhir.search.model import (
    Chain,
    Condition,
    Has,
    Match,
    Missing,
    ReferenceValue,
    SearchQuery,
    TokenValue,
)
from esante.core.fhir.search.parameters import UNSUPPORTED, Parameter, parameters_of
from esante.core.fhir.search.query.result_parameters import ResultParameters
from esante.core.fhir.search.query.value_parser import ValueParser, refuse
from esante.core.web import N_

#: Limits of one search: parameters, steps of `_has` and of chains from one resource to another, conditions of all of
#: these, and values, where each notation of a reference counts.
MAX_PARAMETERS, MAX_STEPS, MAX_CONDITIONS, MAX_VALUES = 40, 4, 100, 2_000
#: Bytes of a parameter.
MAX_LENGTH = 8192
#: Types that are outside of persons' records, except for resources that came with a document.
EXTERNAL_TYPES = frozenset({"Patient", "Practitioner", "PractitionerRole", "Organization"})
#: Parameters for the server of the search, without effect on the matches.
_SERVER_PARAMETERS = frozenset({"_format", "_pretty", "_cursor"})
_TOKEN_MODIFIERS = frozenset({"", "not", "text", "in", "not-in"})
MODIFIERS = {
    "string": frozenset({"", "exact", "contains"}),
    "token": _TOKEN_MODIFIERS,
    "reference": frozenset({"", "identifier"}),
    "uri": frozenset({"", "above", "below"}),
}
_NO_MODIFIER = frozenset({""})


class UnknownParameter(Exception):
    """The type has no such parameter."""


def parse_query(
    type_: str, pairs: Iterable[tuple[str, str]], *, strict: bool = False, base_url: str = ""
) -> SearchQuery:
    """Parse a search of a resource type from the pairs of an address, which are URL-decoded and not yet unescaped.

    Unknown parameters, and those without a value, are refused if `strict`, else named in `ignored`. `base_url` is the
    base of the addresses of this server's resources. Raises: `Problem` 400 with the parameter and a remedy; `KeyError`
    for no type of R4.
    """
    condition_parser = ConditionParser(base_url)
    conditions: list[Condition] = []
    result_parameters = ResultParameters(type_)
    understood: list[tuple[str, str]] = []
    ignored: list[str] = []
    for name, value in pairs:
        try:
            _check_text(name, value)
            if not value.strip(","):
                if name not in _SERVER_PARAMETERS:
                    ignored.append(f"{name[:64]}=")
                continue
            if name not in _SERVER_PARAMETERS and not result_parameters.parse(name, value):
                conditions.append(condition_parser.parse(type_, name, value))
            understood.append((name, value))
        except UnknownParameter:
            ignored.append(name[:64])
        if len(conditions) > MAX_PARAMETERS:
            refuse(name, N_("There are too many search parameters."), N_("Use fewer search parameters at a time."))
    ignored += result_parameters.ignored
    if ignored and strict:
        refuse(ignored[0], N_("This search parameter is not supported."), N_("See /fhir/metadata."))
    cursor = next((value for name, value in understood if name == "_cursor"), None)
    return result_parameters.build_query(tuple(conditions), cursor, tuple(understood), tuple(ignored))


def _check_text(name: str, value: str) -> None:
    """Refuse texts that the database cannot store, so that no resource has them, and damaged ones.

    U+FFFD stands for bytes that were not UTF-8: what was meant is not known. Raises: `Problem` 400.
    """
    text = name + value
    try:
        storable = "\x00" not in text and "\ufffd" not in text and len(text.encode()) <= MAX_LENGTH
    except UnicodeEncodeError:
        storable = False
    if not storable:
        printable = name.encode("ascii", "replace").decode().replace("\x00", "?")
        refuse(printable, N_("This value is not supported."), N_("Use a shorter value."))


class ConditionParser:
    """Parses the conditions of one search, within its limits. `base_url`: see `parse_query`."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._reached = self._values = 0

    def parse(self, type_: str, name: str, value: str, steps: int = 0) -> Condition:
        """Return the condition of one parameter of a type, `steps` references away from the resource searched for.

        Raises: `Problem` 400; `UnknownParameter`.
        """
        self._reached += 1
        if steps > MAX_STEPS or self._reached > MAX_CONDITIONS:
            refuse(
                name, N_("This search follows too many references."), N_("Enter the types the references point to.")
            )
        if name.startswith("_has:"):
            return self._parse_has(type_, name, value, steps)
        first, dot, rest = name.partition(".")
        code, colon, modifier = first.partition(":")
        parameter = parameters_of(type_).get(code)
        if parameter is None:
            if code in UNSUPPORTED:
                refuse(name, N_("This search parameter is not supported."), N_("Search without it."))
            raise UnknownParameter
        if colon and not modifier:
            _refuse_modifier(name)
        if dot:
            return self._parse_chain(parameter, modifier, name, rest, value, steps)
        return self._parse_plain(parameter, modifier, name, value)

    def _parse_plain(self, parameter: Parameter, modifier: str, name: str, value: str) -> Condition:
        if modifier == "missing" and parameter.type != "composite":
            if value not in ("true", "false"):
                refuse(name, N_("This value is not supported."), N_("Enter true or false."))
            return Missing(parameter, value == "true")
        if not supports_modifier(parameter, modifier):
            _refuse_modifier(name)
        if modifier in ("in", "not-in"):
            return Match(parameter, modifier, _value_set_codes(name, value))
        values = ValueParser(name, parameter, modifier, self._base_url).parse_all(value)
        self._values += sum(len(each.texts) if isinstance(each, ReferenceValue) else 1 for each in values)
        if self._values > MAX_VALUES:
            refuse(name, N_("There are too many values."), N_("Search for fewer values at a time."))
        return Match(parameter, modifier, values)

    def _parse_chain(self, parameter: Parameter, only: str, name: str, rest: str, value: str, steps: int) -> Chain:
        if parameter.type != "reference":
            refuse(name, N_("This search parameter does not point to another resource."), N_("Search without a dot."))
        if only and only not in parameter.target:
            _refuse_modifier(name)
        narrowed = [key.target_type for key in parameter.keys if key.target_type]
        targets: dict[str, Condition] = {}
        for type_ in (only,) if only else narrowed or parameter.target:
            with contextlib.suppress(UnknownParameter):
                targets[type_] = self.parse(type_, rest, value, steps + 1)
        if not targets:
            raise UnknownParameter
        return Chain(parameter, targets, tuple(sorted(EXTERNAL_TYPES & targets.keys())), rest, value)

    def _parse_has(self, type_: str, name: str, value: str, steps: int) -> Has:
        """Parse `_has:Observation:encounter:code=…`: a type, its reference parameter, and a parameter of the type."""
        _, other, reference, rest = (name.split(":", 3) + [""] * 3)[:4]
        parameter = parameters_of(other).get(reference) if other in resource_types() else None
        if parameter is None or parameter.type != "reference" or not rest:
            refuse(
                name,
                N_("This is not a valid reverse chain."),
                N_("Use the format _has:Type:reference:parameter=value."),
            )
        if type_ not in parameter.target:
            raise UnknownParameter
        return Has(other, parameter, self.parse(other, rest, value, steps + 1))


def supports_modifier(parameter: Parameter, modifier: str) -> bool:
    """Return whether a parameter can be searched with a modifier ("" for none) other than `missing`."""
    if parameter.type == "reference" and modifier in parameter.target:
        return True
    if modifier == "of-type":
        return parameter.type == "token" and "Identifier" in parameter.element_types
    if parameter.code == "_id":
        return modifier in ("", "not")
    return modifier in MODIFIERS.get(parameter.type, _NO_MODIFIER)


def _value_set_codes(name: str, value: str) -> tuple[TokenValue, ...]:
    """Return the codes of a value set from the definitions of R4. Raises: `Problem` 400 for an unknown value set."""
    codes = load_definitions().codes.get(value.partition("|")[0])
    if codes is None:
        refuse(name, N_("The codes in this value set are not available here."), N_("Search for the individual codes."))
    return tuple(TokenValue(system, code.lower()) for system, listed in codes.items() for code in listed)


def _refuse_modifier(name: str) -> NoReturn:
    refuse(name, N_("This search modifier is not supported."), N_("Search without it."))
