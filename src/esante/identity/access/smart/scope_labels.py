"""Scopes in plain words, for the person who is asked."""

import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from esante.core.fhir.rest import parse_token
from esante.core.web import N_
from esante.identity.access.smart.scopes import Query, Scope, parse_scope

Gettext = Callable[[str], str]

_SEE, _CHANGE = N_("See: %(what)s"), N_("Add or change: %(what)s")
_BOTH = N_("See, add and change: %(what)s")
_ONLY = N_("%(what)s, only: %(which)s")
_OTHER = N_("Data of the kind %(what)s")
_WHOSE = {
    ("practitioner", "patient"): N_("Of this patient."),
    ("practitioner", "user"): N_("Of everyone whose data you may see."),
}
_SHARED = frozenset({"Organization", "Practitioner", "PractitionerRole"})
"""Resources that are about no patient."""
_LATER = N_("Also what will be added to the record later.")
_PLAIN = {
    "openid": (N_("Know who you are"), N_("So that you need no other sign-in there.")),
    "fhirUser": (N_("Know your entry in the directory"), ""),
    "online_access": (N_("Stay connected while you are signed in here"), ""),
    "offline_access": (N_("Stay connected when you are away"), N_("The app can come back without asking you.")),
}
"""The scopes about no resource that a person can leave out: name and explanation."""


@dataclass(frozen=True, slots=True)
class Wording:
    """A scope as a person reads it; `changes`: it allows more than seeing."""

    scope: str
    title: str
    detail: str
    changes: bool = False


def in_words(scopes: Iterable[str], kind: str, _: Gettext) -> list[Wording]:
    """The scopes that a person of a kind can leave out, in her language: data first, what it may change last of it."""
    left = set(scopes)
    found = [_worded(text, scope, kind, _) for text in left if (scope := parse_scope(text))]
    found.sort(key=lambda wording: (wording.changes, wording.title))
    plain = [Wording(text, _(title), _(detail) if detail else "") for text, (title, detail) in _PLAIN.items()]
    return [*found, *(wording for wording in plain if wording.scope in left)]


def _worded(text: str, scope: Scope, kind: str, _: Gettext) -> Wording:
    sees, changes = set(scope.letters) & set("rs"), set(scope.letters) & set("cud")
    words = _BOTH if sees and changes else _CHANGE if changes else _SEE
    whose = "" if scope.resource in _SHARED else _WHOSE.get((kind, scope.level), "")
    details = [whose, _LATER if scope.resource == "*" else ""]
    what = _what(scope, _)
    return Wording(text, _(words) % {"what": what}, " ".join(_(one) for one in details if one), bool(changes))


def _what(scope: Scope, _: Gettext) -> str:
    label = _lists()["resources"].get(scope.resource, {}).get("label")
    what = _(label) if label else _(_OTHER) % {"what": scope.resource}
    return _(_ONLY) % {"what": what, "which": _which(scope.query, _)} if scope.query else what


def _which(query: Query, _: Gettext) -> str:
    """The restrictions of a scope: by their names where they have one, else as they are."""
    return "; ".join(", ".join(_value(name, one, _) for one in value.split(",")) for name, value in query)


def _value(name: str, value: str, _: Gettext) -> str:
    label = _lists()["values"].get(parse_token(value)[1], {}).get("label") if name == "category" else None
    return _(label) if label else f"{name} = {value}"


@cache
def _lists() -> dict[str, Any]:
    return tomllib.loads((files("esante.identity.access") / "data" / "scopes.toml").read_text(encoding="utf-8"))
