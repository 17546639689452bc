"""Search result parameters: `_sort`, `_count`, `_total`, `_summary`, `_elements`, `_contained`, `_include`,
`_revinclude` (search.html, "search result parameters")."""

from collections.abc import Callable
from typing import Any, get_args

from esante.core.fhir.fhirpath import fields, resource_types
from esante.core.fhir.search.model import (
    DEFAULT_COUNT,
    MAX_COUNT,
    Condition,
    Include,
    RevInclude,
    SearchQuery,
    Sort,
    Summary,
    Total,
)
from esante.core.fhir.search.parameters import parameters_of
from esante.core.fhir.search.query.value_parser import refuse
from esante.core.web import N_

MAX_INCLUDES, MAX_SORTS = 20, 5
#: The parameters of this module, and that of pages.
RESULT_PARAMETERS = frozenset(
    {
        "_count",
        "_sort",
        "_total",
        "_summary",
        "_elements",
        "_contained",
        "_include",
        "_revinclude",
        "_cursor",
    }
)
_GIVE_ONE = N_("Use one of the values in the specification.")


class ResultParameters:
    """Collects the result parameters of a search; `ignored` are sort keys that the type does not have."""

    def __init__(self, type_: str) -> None:
        self._type = type_
        self._given: dict[str, Any] = {}
        self._includes: list[Include | RevInclude] = []
        self.ignored: list[str] = []
        self._parsers: dict[str, Callable[[str], Any]] = {
            "_count": _parse_count,
            "_sort": self._parse_sort,
            "_total": lambda value: _parse_one_of("_total", value, get_args(Total)),
            "_summary": lambda value: _parse_one_of("_summary", value, get_args(Summary)),
            "_elements": self._parse_elements,
            "_contained": lambda value: _parse_one_of("_contained", value, ("false",)),
        }

    def parse(self, name: str, value: str) -> bool:
        """Return whether this is a result parameter; it is then parsed. Raises: `Problem` 400."""
        if name in self._parsers:
            if name in self._given:
                refuse(name, N_("This search parameter can only be used once."), N_("Send it only once."))
            self._given[name] = self._parsers[name](value)
            return True
        first, _, modifier = name.partition(":")
        if first not in ("_include", "_revinclude"):
            return False
        if modifier not in ("", "iterate"):
            refuse(name, N_("This search modifier is not supported."), N_("Search without it."))
        if len(self._includes) >= MAX_INCLUDES:
            refuse(name, N_("There are too many search parameters."), N_("Use fewer search parameters at a time."))
        self._includes.append(_parse_include(name, value, first == "_revinclude", modifier == "iterate"))
        return True

    def build_query(
        self,
        conditions: tuple[Condition, ...],
        cursor: str | None,
        pairs: tuple[tuple[str, str], ...],
        ignored: tuple[str, ...],
    ) -> SearchQuery:
        """Return the search with these conditions and the collected result parameters."""
        given = self._given
        count = given.get("_count", DEFAULT_COUNT)
        return SearchQuery(
            type=self._type,
            conditions=conditions,
            sort=given.get("_sort", ()),
            count=count,
            total=given.get("_total", "accurate"),
            includes=tuple(self._includes),
            summary="count" if count == 0 else given.get("_summary", "false"),
            elements=given.get("_elements", ()),
            cursor=cursor,
            pairs=pairs,
            ignored=ignored,
        )

    def _parse_sort(self, value: str) -> tuple[Sort, ...]:
        names = [name for name in value.split(",") if name]
        if len(names) > MAX_SORTS:
            refuse("_sort", N_("There are too many values."), N_("Search for fewer values at a time."))
        found = []
        for name in names:
            parameter = parameters_of(self._type).get(name.removeprefix("-"))
            if parameter is None:
                self.ignored.append(f"_sort={name[:64]}")
            elif parameter.type == "composite":
                refuse("_sort", N_("You cannot sort by this search parameter."), N_("Sort by another parameter."))
            else:
                found.append(Sort(parameter, name.startswith("-")))
        return tuple(found)

    def _parse_elements(self, value: str) -> tuple[str, ...]:
        names = tuple(name for name in value.split(",") if name)
        wrong = next((name for name in names if name not in fields(self._type)), None)
        if wrong is not None:
            refuse(
                "_elements",
                N_("The resource does not have this element."),
                N_("Use elements of the resource type you are searching for."),
            )
        return names


def _parse_count(value: str) -> int:
    if not value.isascii() or not value.isdigit() or len(value) > 9:
        refuse("_count", N_("This is not a whole number."), N_("Enter a number of 0 or more."))
    return min(int(value), MAX_COUNT)


def _parse_one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        refuse(name, N_("This value is not supported."), _GIVE_ONE)
    return value


def _parse_include(name: str, value: str, reverse: bool, iterate: bool) -> Include | RevInclude:
    """Parse `Type:parameter[:target]`, `Type:*` or, without `reverse`, `*`. Raises: `Problem` 400."""
    if value == "*" and not reverse:
        return Include(None, None, None, iterate)
    type_, _, rest = value.partition(":")
    code, _, target = rest.partition(":")
    known = type_ in resource_types()
    parameter = parameters_of(type_).get(code) if known else None
    is_reference = parameter is not None and parameter.type == "reference"
    valid = is_reference or (known and code == "*" and not reverse)
    if not valid or (target and target not in resource_types()):
        refuse(
            name,
            N_("This cannot be included in the search."),
            N_("Use the format Type:parameter or Type:parameter:Type."),
        )
    if reverse and parameter is not None:
        return RevInclude(type_, parameter, target or None, iterate)
    return Include(type_, parameter, target or None, iterate)
