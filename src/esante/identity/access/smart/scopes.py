"""SMART scopes: what an access token permits (HL7 SMART App Launch 2.2, "Scopes and Launch Context").

A scope on resources is `level/Resource.letters`: level system (software), user (what a person may see) or patient
(one patient); letters of c create, r read, u update, d delete, s search, in this order. A query after `?` narrows
it to resources that a search with it finds: `patient/Observation.rs?category=laboratory`. The permissions of SMART 1
(`.read`, `.write`, `.*`) mean rs, cud and cruds.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import product
from urllib.parse import quote, unquote

from esante.core.fhir import definitions
from esante.core.web import N_, Problem
from esante.identity.access.model import Requester

Query = tuple[tuple[str, str], ...]
"""Search parameters with their values, all of which must match; empty: no restriction."""

MAX_SCOPE_LENGTH = 512
IDENTITY_SCOPES = frozenset({"openid", "fhirUser"})
CONTEXT_SCOPES = frozenset({"launch", "launch/patient"})
REFRESH_SCOPES = frozenset({"online_access", "offline_access"})
"""Scopes for requesting a refresh token."""
INTROSPECTION_SCOPE = "__introspect"
"""Permits introspection of the tokens of other clients (RFC 7662); named in SMART's form for a server's own scopes."""
NON_RESOURCE_SCOPES = IDENTITY_SCOPES | CONTEXT_SCOPES | REFRESH_SCOPES | {INTROSPECTION_SCOPE}
"""Scopes that permit no access to resources."""

_SCOPE = re.compile(
    r"(system|user|patient)/(\*|[A-Z][A-Za-z]{1,63})\.(c?r?u?d?s?|read|write|\*)(?:\?([!$->@-\[\]-~]+))?"
)
_V1_PERMISSIONS = {"read": "rs", "write": "cud", "*": "cruds"}
_LETTERS = "cruds"
_LEVELS_BY_KIND = {
    "organization": frozenset({"system"}),
    "practitioner": frozenset({"user", "patient"}),
    "operator": frozenset({"user"}),
    "patient": frozenset({"user", "patient"}),
}
"""The levels that apply to each kind of requester; for a patient `user` is their own data too."""
_UNESCAPED = "!$'()*+,-./:;@_|~"
"""Characters that are not percent-encoded in the query of a scope."""
_COMMON_PARAMETERS = frozenset({"_id", "_lastUpdated", "_profile", "_security", "_source", "_tag"})


@dataclass(frozen=True, slots=True)
class Scope:
    """The parts of a scope on resources."""

    level: str
    resource: str
    letters: str
    query: Query = ()

    def __str__(self) -> str:
        query = "&".join(
            f"{quote(name, safe=_UNESCAPED)}={quote(value, safe=_UNESCAPED)}" for name, value in self.query
        )
        return f"{self.level}/{self.resource}.{self.letters}" + (f"?{query}" if query else "")


def parse_scope(text: str) -> Scope | None:
    """Return the scope on resources in `text`, or None when it is not one that can be granted.

    A query with other parameters than the resource has, with modifiers or with chains cannot be granted: a search that
    ignored it would return more than was granted.
    """
    return _parse(text) if len(text) <= MAX_SCOPE_LENGTH else None


@lru_cache(maxsize=4_096)
def _parse(text: str) -> Scope | None:
    match = _SCOPE.fullmatch(text)
    if match is None or not match.group(3):
        return None
    level, resource, letters, query_text = match.groups()
    query = _parse_query(query_text) if query_text else ()
    known = _COMMON_PARAMETERS | _narrowing_parameters(resource)
    if query is None or any(name not in known for name, _ in query):
        return None
    return Scope(level, resource, _V1_PERMISSIONS.get(letters, letters), query)


def common_scopes(requested: Iterable[str], allowed: Iterable[str]) -> frozenset[str]:
    """Return what is both requested and allowed, without scopes that another one of the result contains.

    That is the meet of every pair of scopes; written as it was requested, also in SMART 1, where the meet equals that.
    """
    left, right = set(requested), set(allowed)
    meets: dict[Scope, str] = {}
    for text, scope in ((text, scope) for text in sorted(left) if (scope := parse_scope(text))):
        for meet in (_meet(scope, other) for one in right if (other := parse_scope(one))):
            if meet:
                meets[meet] = text if meet == scope else meets.get(meet, str(meet))
    maximal = {text for meet, text in meets.items() if not any(_contains(other, meet) for other in meets)}
    return frozenset(maximal | (left & right & NON_RESOURCE_SCOPES))


def has_level(scopes: Iterable[str], level: str) -> bool:
    """Return whether one of the scopes is of a level."""
    return any(scope.level == level for text in scopes if (scope := parse_scope(text)))


def covering_queries(requester: Requester, resource: str, letters: str) -> list[Query]:
    """Return the queries to which the requester's token restricts `letters` on `resource`.

    What any of them matches is covered; an empty one, then the only one, is no restriction; without a token there is
    none. Raises: `Problem` 403 when the token does not cover all letters at all.
    """
    if requester.scopes is None:
        return [()]
    levels = _LEVELS_BY_KIND.get(requester.kind, frozenset())
    if requester.kind == "practitioner" and requester.patient is None:
        levels -= {"patient"}
    queries = _alternatives(requester.scopes, levels, resource, letters)
    if not queries:
        raise _insufficient_scope(requester, levels, resource, letters)
    return list(queries)


def require_scope(requester: Requester, resource: str, letters: str) -> None:
    """Raise `Problem` 403 unless the token, if there is one, covers `letters` on `resource` without restriction."""
    if covering_queries(requester, resource, letters) != [()]:
        raise _restricted_scope(resource)


def resolve_patient_context(requester: Requester, resource: str, letters: str) -> Requester:
    """Return the requester, without the patient in context where a `user/` scope covers the request.

    A client that was launched for a patient is bound to that patient; only a scope of level `user` reaches all
    patients of its user, and only where the `patient/` scopes would not permit more of the patient in context.
    """
    if requester.patient is None or requester.scopes is None:
        return requester
    user = _alternatives(requester.scopes, frozenset({"user"}), resource, letters)
    both = _alternatives(requester.scopes, frozenset({"user", "patient"}), resource, letters)
    return replace(requester, patient=None) if user and user == both else requester


@lru_cache(maxsize=4_096)
def _alternatives(scopes: frozenset[str], levels: frozenset[str], resource: str, letters: str) -> tuple[Query, ...]:
    """Return the widest queries under which the scopes cover all letters: of one scope for each letter, joined."""
    applicable = [
        scope
        for scope in map(parse_scope, scopes)
        if scope and scope.level in levels and scope.resource in ("*", resource)
    ]
    combinations = product(*({scope.query for scope in applicable if letter in scope.letters} for letter in letters))
    queries = {tuple(sorted({pair for query in combination for pair in query})) for combination in combinations}
    return tuple(sorted(query for query in queries if not any(set(other) < set(query) for other in queries)))


def _meet(one: Scope, other: Scope) -> Scope | None:
    """Return the scope of what both scopes permit; None for nothing."""
    if one.level != other.level or ("*" not in (one.resource, other.resource) and one.resource != other.resource):
        return None
    letters = "".join(letter for letter in _LETTERS if letter in one.letters and letter in other.letters)
    resource = other.resource if one.resource == "*" else one.resource
    query = tuple(sorted({*one.query, *other.query}))
    return Scope(one.level, resource, letters, query) if letters else None


def _contains(one: Scope, other: Scope) -> bool:
    """Return whether `one` permits all that `other` does, and is not equal to it."""
    return (
        one != other
        and one.level == other.level
        and one.resource in ("*", other.resource)
        and set(one.letters) >= set(other.letters)
        and set(one.query) <= set(other.query)
    )


def _parse_query(text: str) -> Query | None:
    """Return the pairs of a query, sorted; None when it is not `name=value` throughout."""
    pairs = [part.partition("=") for part in text.split("&")]
    if not all(name and value for name, _, value in pairs):
        return None
    decoded = {(unquote(name), unquote(value)) for name, _, value in pairs}
    return tuple(sorted(decoded)) if all(value.isprintable() for _, value in decoded) else None


@cache
def _narrowing_parameters(resource: str) -> frozenset[str]:
    """Return the search parameters of R4 that can narrow a scope on a type: not composite, special or full text."""
    types = ("date", "number", "quantity", "reference", "string", "token", "uri")
    parameters = definitions.search_parameters()
    applicable = (parameter for parameter in parameters if resource in parameter.base and parameter.type in types)
    return frozenset(parameter.code for parameter in applicable if not parameter.code.startswith("_"))


def _insufficient_scope(requester: Requester, levels: frozenset[str], resource: str, letters: str) -> Problem:
    level = next((level for level in ("system", "user", "patient") if level in levels), "")
    if requester.patient is not None or requester.kind == "patient":
        level = "patient"
    needed = Scope(level, resource, letters)
    return Problem(
        403,
        "forbidden",
        N_("The token's scopes do not allow this."),
        detail=f"Needed: {needed}.",
        remedy=N_("Ask for a token with the required scope."),
        headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{needed}"'},
    )


def _restricted_scope(resource: str) -> Problem:
    return Problem(
        403,
        "forbidden",
        N_("The token's scopes only cover part of this, and the parts cannot be separated here."),
        detail=resource,
        remedy=N_("Ask for a token with the required scope."),
        headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
    )
