"""SMART v2 scopes: what a token may be used for (HL7 SMART App Launch 2.2, "Scopes and Launch Context").

A scope is `level/Resource.letters`: level system (software), user (a professional) or patient; letters of
c create, r read, u update, d delete, s search, in this order. Scopes with a query part are not granted.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from esante.access.model import Requester
from esante.web import N_, Problem

_SCOPE = re.compile(r"(system|user|patient)/(\*|[A-Z][A-Za-z]{1,63})\.(c?r?u?d?s?)")
_LETTERS = "cruds"
_LEVELS = {"organization": "system", "practitioner": "user", "operator": "user", "patient": "patient"}


@dataclass(frozen=True, slots=True)
class Scope:
    """A scope in its parts."""

    level: str
    resource: str
    letters: str

    def __str__(self) -> str:
        return f"{self.level}/{self.resource}.{self.letters}"


def parse_scope(text: str) -> Scope | None:
    """The scope in `text`, or None when it is not one that can be granted."""
    match = _SCOPE.fullmatch(text)
    return Scope(*match.groups()) if match and match.group(3) else None


def common_scopes(asked: Iterable[str], allowed: Iterable[str]) -> frozenset[str]:
    """What is both asked for and allowed: the meet of every pair of scopes."""
    left = [scope for text in asked if (scope := parse_scope(text))]
    right = [scope for text in allowed if (scope := parse_scope(text))]
    return frozenset(str(meet) for one in left for other in right if (meet := _meet(one, other)))


def require_scope(requester: Requester, resource: str, letters: str) -> None:
    """Problem 403 unless the requester's token covers `letters` on `resource`; a person at the portal has none."""
    if requester.scopes is None:
        return
    level = _LEVELS.get(requester.kind, "")
    covered = {
        letter
        for scope in map(parse_scope, requester.scopes)
        if scope and scope.level == level and scope.resource in ("*", resource)
        for letter in scope.letters
    }
    if not covered.issuperset(letters):
        needed = Scope(level, resource, letters)
        raise Problem(
            403,
            "forbidden",
            N_("The token's scopes do not cover this."),
            detail=f"Needed: {needed}.",
            remedy=N_("Ask for a token with this scope."),
            headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{needed}"'},
        )


def _meet(one: Scope, other: Scope) -> Scope | None:
    if one.level != other.level or ("*" not in (one.resource, other.resource) and one.resource != other.resource):
        return None
    letters = "".join(letter for letter in _LETTERS if letter in one.letters and letter in other.letters)
    resource = other.resource if one.resource == "*" else one.resource
    return Scope(one.level, resource, letters) if letters else None
