"""From the parameters of an address to a search that is understood (search.html)."""

import contextlib
from collections.abc import Iterable
from typing import NoReturn

from esante.core.fhir.definitions import load_definitions
from esante.core.fhir.fhirpath.types import resources
from esante.core.fhir.search.model import Address, Chain, Condition, Has, Match, Missing, Query, Token
from esante.core.fhir.search.parameters import REFUSED, Parameter, parameters
from esante.core.fhir.search.query.result_parameters import Results
from esante.core.fhir.search.query.value_parser import Reader, bad
from esante.core.web import N_

#: Limits of one search: parameters, steps of `_has` and chains from one resource to another, and with all of these the
#: conditions and the values, a reference counted in all the ways in which it may be written.
MAX_PARAMETERS, MAX_STEPS, MAX_CONDITIONS, MAX_VALUES = 40, 4, 100, 2_000
#: Bytes of a parameter.
MAX_LENGTH = 8192
#: Types that lie outside of persons' records, but for those that came with a document.
DIRECTORY = frozenset({"Patient", "Practitioner", "PractitionerRole", "Organization"})
#: Read by who serves the search, or of no meaning for what is found.
_SERVED = frozenset({"_format", "_pretty", "_cursor"})
_OF_TOKENS = frozenset({"", "not", "text", "in", "not-in"})
MODIFIERS = {
    "string": frozenset({"", "exact", "contains"}),
    "token": _OF_TOKENS,
    "reference": frozenset({"", "identifier"}),
    "uri": frozenset({"", "above", "below"}),
}
_PLAIN = frozenset({""})


class Unknown(Exception):
    """A parameter that the type does not have."""


def parse(type_: str, pairs: Iterable[tuple[str, str]], *, strict: bool = False, base_url: str = "") -> Query:
    """What is asked for of a resource type by the pairs of an address, decoded but not yet unescaped.

    Unknown parameters are refused if `strict`, else named in `ignored`. `base_url` is where our own resources have
    their addresses. Raises Problem 400 with the parameter and a remedy, KeyError for no type of R4.
    """
    reader = Conditions(base_url)
    conditions: list[Condition] = []
    control = Results(type_)
    understood: list[tuple[str, str]] = []
    ignored: list[str] = []
    for name, value in pairs:
        try:
            _check(name, value)
            if not value:
                continue
            if name not in _SERVED and not control.take(name, value):
                conditions.append(reader.of(type_, name, value))
            understood.append((name, value))
        except Unknown:
            ignored.append(name[:64])
        if len(conditions) > MAX_PARAMETERS:
            bad(name, N_("These are too many search parameters."), N_("Search with fewer parameters at once."))
    ignored += control.ignored
    if ignored and strict:
        bad(ignored[0], N_("This search parameter is not supported."), N_("See /fhir/metadata."))
    cursor = next((value for name, value in understood if name == "_cursor"), None)
    return control.query(tuple(conditions), cursor, tuple(understood), tuple(ignored))


def _check(name: str, value: str) -> None:
    """Refuse texts that no database holds, and so no resource."""
    try:
        held = "\x00" not in (name + value) and len((name + value).encode()) <= MAX_LENGTH
    except UnicodeEncodeError:
        held = False
    if not held:
        printable = name.encode("ascii", "replace").decode().replace("\x00", "?")
        bad(printable, N_("This value is not supported."), N_("Search for something shorter."))


class Conditions:
    """Reads the conditions of one search. `base_url`: see `parse`."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._reached = self._values = 0

    def of(self, type_: str, name: str, value: str, steps: int = 0) -> Condition:
        """The condition of one parameter of a type. Raises Problem 400, `Unknown`."""
        self._reached += 1
        if steps > MAX_STEPS or self._reached > MAX_CONDITIONS:
            bad(name, N_("This search goes through too many references."), N_("Name the types that are pointed to."))
        if name.startswith("_has:"):
            return self._has(type_, name, value, steps)
        first, dot, rest = name.partition(".")
        code, colon, modifier = first.partition(":")
        parameter = parameters(type_).get(code)
        if parameter is None:
            if code in REFUSED:
                bad(name, N_("This search parameter is not supported."), N_("Search without it."))
            raise Unknown
        if colon and not modifier:
            _no_modifier(name)
        if dot:
            return self._chain(parameter, modifier, name, rest, value, steps)
        return self._plain(parameter, modifier, name, value)

    def _plain(self, parameter: Parameter, modifier: str, name: str, value: str) -> Condition:
        if modifier == "missing" and parameter.type != "composite":
            if value not in ("true", "false"):
                bad(name, N_("This value is not supported."), N_("Give true or false."))
            return Missing(parameter, value == "true")
        if not supports(parameter, modifier):
            _no_modifier(name)
        if modifier in ("in", "not-in"):
            return Match(parameter, modifier, _members(name, value))
        values = Reader(name, parameter, modifier, self._base_url).all(value)
        self._values += sum(len(each.texts) if isinstance(each, Address) else 1 for each in values)
        if self._values > MAX_VALUES:
            bad(name, N_("These are too many values."), N_("Search for fewer values at once."))
        return Match(parameter, modifier, values)

    def _chain(self, parameter: Parameter, only: str, name: str, rest: str, value: str, steps: int) -> Chain:
        if parameter.type != "reference":
            bad(name, N_("This search parameter does not point to another resource."), N_("Search without a point."))
        if only and only not in parameter.target:
            _no_modifier(name)
        narrowed = [key.only for key in parameter.keys if key.only]
        targets: dict[str, Condition] = {}
        for type_ in (only,) if only else narrowed or parameter.target:
            with contextlib.suppress(Unknown):
                targets[type_] = self.of(type_, rest, value, steps + 1)
        if not targets:
            raise Unknown
        return Chain(parameter, targets, tuple(sorted(DIRECTORY & targets.keys())), rest, value)

    def _has(self, type_: str, name: str, value: str, steps: int) -> Has:
        """`_has:Observation:encounter:code=…`: type, its reference parameter, and a parameter of the type."""
        _, other, reference, rest = (name.split(":", 3) + [""] * 3)[:4]
        parameter = parameters(other).get(reference) if other in resources() else None
        if parameter is None or parameter.type != "reference" or not rest:
            bad(name, N_("This is not a reverse chain."), N_("Write it as _has:Type:reference:parameter=value."))
        if type_ not in parameter.target:
            raise Unknown
        return Has(other, parameter, self.of(other, rest, value, steps + 1))


def supports(parameter: Parameter, modifier: str) -> bool:
    """Whether a parameter can be searched with a modifier ("" for none) other than `missing`."""
    if parameter.type == "reference" and modifier in parameter.target:
        return True
    if modifier == "of-type":
        return parameter.type == "token" and "Identifier" in parameter.holds
    if parameter.code == "_id":
        return modifier in ("", "not")
    return modifier in MODIFIERS.get(parameter.type, _PLAIN)


def _members(name: str, value: str) -> tuple[Token, ...]:
    """The codes of a value set that the definitions of R4 list."""
    codes = load_definitions().codes.get(value.partition("|")[0])
    if codes is None:
        bad(name, N_("The codes of this value set are not known here."), N_("Search for its codes themselves."))
    return tuple(Token(system, code.lower()) for system, listed in codes.items() for code in listed)


def _no_modifier(name: str) -> NoReturn:
    bad(name, N_("This search modifier is not supported."), N_("Search without it."))
