"""Labels of scopes for the person who decides about an authorization request."""

import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

from esante.core.dated_data import packaged_text
from esante.core.fhir.rest import parse_token
from esante.core.types import Json
from esante.core.web import N_
from esante.identity.access.smart.scopes import Query, Scope, parse_scope

Gettext = Callable[[str], str]

_SEE, _CHANGE = N_("See: %(what)s"), N_("Add or change: %(what)s")
_BOTH = N_("See, add and change: %(what)s")
_ONLY = N_("%(what)s, limited to: %(which)s")
_OTHER = N_("Data of type %(what)s")
_SUBJECT_DETAILS = {
    ("practitioner", "patient"): N_("For this patient."),
    ("practitioner", "user"): N_("For everyone whose data you are allowed to see."),
}
_DIRECTORY_TYPES = frozenset({"Organization", "Practitioner", "PractitionerRole"})
"""Resource types that are about no patient."""
_ALL_TYPES_DETAIL = N_("This includes everything added to the record later.")
_NON_RESOURCE_LABELS = {
    "openid": (N_("See who you are"), N_("You will not have to sign in to the app separately.")),
    "fhirUser": (N_("See your entry in the directory"), ""),
    "online_access": (N_("Keep access while you are signed in here"), ""),
    "offline_access": (
        N_("Keep access when you are signed out"),
        N_("The app can access your data again without asking you."),
    ),
}
"""Title and detail of the scopes about no resource that a person can leave out."""


@dataclass(frozen=True, slots=True)
class ScopeLabel:
    """A scope as a person reads it; `changes`: it permits more than reading."""

    scope: str
    title: str
    detail: str
    changes: bool = False


def label_scopes(scopes: Iterable[str], kind: str, _: Gettext) -> list[ScopeLabel]:
    """Return the labels of the scopes that a person of a kind can leave out, in the language of `_`.

    Scopes on resources come first, sorted by title, those that permit changes after the others.
    """
    remaining = set(scopes)
    labels = [_resource_label(text, scope, kind, _) for text in remaining if (scope := parse_scope(text))]
    labels.sort(key=lambda label: (label.changes, label.title))
    others = [
        ScopeLabel(text, _(title), _(detail) if detail else "")
        for text, (title, detail) in _NON_RESOURCE_LABELS.items()
    ]
    return [*labels, *(label for label in others if label.scope in remaining)]


def _resource_label(text: str, scope: Scope, kind: str, _: Gettext) -> ScopeLabel:
    reads, changes = set(scope.letters) & set("rs"), set(scope.letters) & set("cud")
    title = _BOTH if reads and changes else _CHANGE if changes else _SEE
    subject = "" if scope.resource in _DIRECTORY_TYPES else _SUBJECT_DETAILS.get((kind, scope.level), "")
    details = [subject, _ALL_TYPES_DETAIL if scope.resource == "*" else ""]
    what = _describe_data(scope, _)
    return ScopeLabel(
        text, _(title) % {"what": what}, " ".join(_(detail) for detail in details if detail), bool(changes)
    )


def _describe_data(scope: Scope, _: Gettext) -> str:
    label = _labels()["resources"].get(scope.resource, {}).get("label")
    what = _(label) if label else _(_OTHER) % {"what": scope.resource}
    return _(_ONLY) % {"what": what, "which": _describe_query(scope.query, _)} if scope.query else what


def _describe_query(query: Query, _: Gettext) -> str:
    """Return the restrictions of a scope: by their labels where they have one, else as `name = value`."""
    return "; ".join(
        ", ".join(_describe_value(name, value, _) for value in values.split(",")) for name, values in query
    )


def _describe_value(name: str, value: str, _: Gettext) -> str:
    label = _labels()["values"].get(parse_token(value)[1], {}).get("label") if name == "category" else None
    return _(label) if label else f"{name} = {value}"


@cache
def _labels() -> Json:
    """Return the labels of resource types and of values (data/scopes.toml)."""
    return tomllib.loads(packaged_text("esante.identity.access", "scopes.toml"))
