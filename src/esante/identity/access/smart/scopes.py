"""SMART scopes: what a token may be used for (HL7 SMART App Launch 2.2, "Scopes and Launch Context").

A scope on resources is `level/Resource.letters`: level system (software), user (what a person may see) or patient
(one patient); letters of c create, r read, u update, d delete, s search, in this order. A query behind `?` narrows
it to resources that a search with it finds: `patient/Observation.rs?category=laboratory`. The words of SMART 1
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

MAX_SCOPE = 512
IDENTITY = frozenset({"openid", "fhirUser"})
CONTEXT = frozenset({"launch", "launch/patient"})
STAYING = frozenset({"online_access", "offline_access"})
INTROSPECT = "__introspect"
"""Lets software ask for what tokens of others stand (RFC 7662); the name is of SMART's form for own scopes."""
PLAIN = IDENTITY | CONTEXT | STAYING | {INTROSPECT}
"""Scopes that are about no resource."""

_SCOPE = re.compile(
    r"(system|user|patient)/(\*|[A-Z][A-Za-z]{1,63})\.(c?r?u?d?s?|read|write|\*)(?:\?([!$->@-\[\]-~]+))?"
)
_V1 = {"read": "rs", "write": "cud", "*": "cruds"}
_LETTERS = "cruds"
_LEVELS = {
    "organization": frozenset({"system"}),
    "practitioner": frozenset({"user", "patient"}),
    "operator": frozenset({"user"}),
    "patient": frozenset({"user", "patient"}),
}
"""Which levels mean something for whom: a patient's own data is all that she may see."""
_SAFE = "!$'()*+,-./:;@_|~"
"""What stands in the query of a scope as it is; all else is percent-encoded."""
_EVERYWHERE = frozenset({"_id", "_lastUpdated", "_profile", "_security", "_source", "_tag"})


@dataclass(frozen=True, slots=True)
class Scope:
    """A scope on resources in its parts."""

    level: str
    resource: str
    letters: str
    query: Query = ()

    def __str__(self) -> str:
        query = "&".join(f"{quote(name, safe=_SAFE)}={quote(value, safe=_SAFE)}" for name, value in self.query)
        return f"{self.level}/{self.resource}.{self.letters}" + (f"?{query}" if query else "")


def parse_scope(text: str) -> Scope | None:
    """The scope on resources in `text`, or None when it is not one that can be granted.

    A query of other parameters than the resource has, of modifiers or of chains is none: a search that did not
    understand it would show more than was granted.
    """
    return _parsed(text) if len(text) <= MAX_SCOPE else None


@lru_cache(maxsize=4_096)
def _parsed(text: str) -> Scope | None:
    match = _SCOPE.fullmatch(text)
    if match is None or not match.group(3):
        return None
    level, resource, letters, given = match.groups()
    query = _query(given) if given else ()
    known = _EVERYWHERE | _parameters(resource)
    if query is None or any(name not in known for name, _ in query):
        return None
    return Scope(level, resource, _V1.get(letters, letters), query)


def common_scopes(asked: Iterable[str], allowed: Iterable[str]) -> frozenset[str]:
    """What is both asked for and allowed, in the shortest form: no scope that another one among them contains.

    The meet of every pair of scopes; as it was asked for, in the words of SMART 1 too, where that is it.
    """
    left, right = set(asked), set(allowed)
    meets: dict[Scope, str] = {}
    for text, scope in ((text, scope) for text in sorted(left) if (scope := parse_scope(text))):
        for meet in (_meet(scope, other) for one in right if (other := parse_scope(one))):
            if meet:
                meets[meet] = text if meet == scope else meets.get(meet, str(meet))
    kept = {text for meet, text in meets.items() if not any(_contains(other, meet) for other in meets)}
    return frozenset(kept | (left & right & PLAIN))


def has_level(scopes: Iterable[str], level: str) -> bool:
    """Whether one of the scopes is of a level."""
    return any(scope.level == level for text in scopes if (scope := parse_scope(text)))


def covered(requester: Requester, resource: str, letters: str) -> list[Query]:
    """The queries to which the requester's token restricts `letters` on `resource`: what any of them finds is covered.

    An empty one (then the only one) is no restriction; without a token there is none. Problem 403 when the token
    does not cover all letters at all.
    """
    if requester.scopes is None:
        return [()]
    levels = _LEVELS.get(requester.kind, frozenset())
    if requester.kind == "practitioner" and requester.patient is None:
        levels -= {"patient"}
    found = _alternatives(requester.scopes, levels, resource, letters)
    if not found:
        raise _uncovered(requester, levels, resource, letters)
    return list(found)


def require_scope(requester: Requester, resource: str, letters: str) -> None:
    """Problem 403 unless the token covers `letters` on `resource` without restriction; without a token all is."""
    if covered(requester, resource, letters) != [()]:
        raise _restricted(resource)


def reaching(requester: Requester, resource: str, letters: str) -> Requester:
    """The requester as far as the token reaches for this: to all of its user's patients where a `user/` scope does it.

    Software that was launched for a patient is bound to that patient; only a scope of its user's own reaches
    further, and only where the `patient/` scopes would not allow more of that patient.
    """
    if requester.patient is None or requester.scopes is None:
        return requester
    user = _alternatives(requester.scopes, frozenset({"user"}), resource, letters)
    both = _alternatives(requester.scopes, frozenset({"user", "patient"}), resource, letters)
    return replace(requester, patient=None) if user and user == both else requester


@lru_cache(maxsize=4_096)
def _alternatives(scopes: frozenset[str], levels: frozenset[str], resource: str, letters: str) -> tuple[Query, ...]:
    """The widest ways in which the scopes cover all letters: for each letter one scope, their queries together."""
    fitting = [
        scope
        for scope in map(parse_scope, scopes)
        if scope and scope.level in levels and scope.resource in ("*", resource)
    ]
    ways = product(*({scope.query for scope in fitting if letter in scope.letters} for letter in letters))
    found = {tuple(sorted({pair for query in way for pair in query})) for way in ways}
    return tuple(sorted(query for query in found if not any(set(other) < set(query) for other in found)))


def _meet(one: Scope, other: Scope) -> Scope | None:
    if one.level != other.level or ("*" not in (one.resource, other.resource) and one.resource != other.resource):
        return None
    letters = "".join(letter for letter in _LETTERS if letter in one.letters and letter in other.letters)
    resource = other.resource if one.resource == "*" else one.resource
    query = tuple(sorted({*one.query, *other.query}))
    return Scope(one.level, resource, letters, query) if letters else None


def _contains(one: Scope, other: Scope) -> bool:
    """Whether `one` allows all that `other` does, and is another scope."""
    return (
        one != other
        and one.level == other.level
        and one.resource in ("*", other.resource)
        and set(one.letters) >= set(other.letters)
        and set(one.query) <= set(other.query)
    )


def _query(text: str) -> Query | None:
    """The pairs of a query in order; None when it is not `name=value` throughout."""
    pairs = [part.partition("=") for part in text.split("&")]
    if not all(name and value for name, _, value in pairs):
        return None
    found = {(unquote(name), unquote(value)) for name, _, value in pairs}
    return tuple(sorted(found)) if all(value.isprintable() for _, value in found) else None


@cache
def _parameters(resource: str) -> frozenset[str]:
    """The search parameters that R4 has for a type; composite and special ones and free text narrow no scope."""
    kinds = ("date", "number", "quantity", "reference", "string", "token", "uri")
    found = (one for one in definitions.search_parameters() if resource in one.base and one.type in kinds)
    return frozenset(one.code for one in found if not one.code.startswith("_"))


def _uncovered(requester: Requester, levels: frozenset[str], resource: str, letters: str) -> Problem:
    level = next((level for level in ("system", "user", "patient") if level in levels), "")
    if requester.patient is not None or requester.kind == "patient":
        level = "patient"
    needed = Scope(level, resource, letters)
    return Problem(
        403,
        "forbidden",
        N_("The token's scopes do not cover this."),
        detail=f"Needed: {needed}.",
        remedy=N_("Ask for a token with this scope."),
        headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{needed}"'},
    )


def _restricted(resource: str) -> Problem:
    return Problem(
        403,
        "forbidden",
        N_("The token's scopes cover a part of this only, and it cannot be told apart here."),
        detail=resource,
        remedy=N_("Ask for a token with this scope."),
        headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
    )
