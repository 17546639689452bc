"""How far a clinical resource goes, as its labels tell (meta.security, v3 Confidentiality)."""

from collections.abc import Mapping
from typing import Any

import msgspec

from esante.core.fhir.store import Version
from esante.core.web import N_, Problem
from esante.identity.access import Confidentiality
from esante.services.record.documents.document_reference import LABEL_SYSTEM, LABELS, LEVELS

Json = dict[str, Any]


class _Labelled(msgspec.Struct):
    meta: dict[str, Any] = {}


_labelled = msgspec.json.Decoder(_Labelled)


def meta_of(version: Version) -> Json:
    """The meta of a version; empty where it says that there is nothing."""
    return {} if version.deleted else _labelled.decode(version.body).meta


def level_of(meta: Mapping[str, Any] | None, place: str) -> Confidentiality:
    """The strictest level that the labels name; without one: normal. Problem 422 for one that is not known."""
    if not meta or "security" not in meta:
        return Confidentiality.NORMAL
    codes = [label.get("code", "") for label in meta["security"] if _is_level(label)]
    if any(code not in LEVELS for code in codes):
        raise Problem(
            422,
            "code-invalid",
            N_("This confidentiality is not known."),
            place=place,
            remedy=N_("Send N, R or V of v3-Confidentiality."),
        )
    return max((LEVELS[code] for code in codes), key=tuple(Confidentiality).index, default=Confidentiality.NORMAL)


def kept(meta: Mapping[str, Any] | None, before: Mapping[str, Any], level: Confidentiality) -> Json:
    """The meta of a next version: what it says, the tags and labels of the version before, and its level.

    R4 has labels and tags stay unless they are taken away (resource.html, "Meta").
    """
    made = dict(meta or {})
    for name in ("security", "tag"):
        said = [label for label in made.get(name) or () if not _is_level(label)]
        stayed = [label for label in before.get(name) or () if label not in said and not _is_level(label)]
        own = [{"system": LABEL_SYSTEM, "code": LABELS[level]}] if name == "security" else []
        made[name] = [*said, *stayed, *(own if level is not Confidentiality.NORMAL else [])]
    return {name: value for name, value in made.items() if value not in ([], None)}


def _is_level(label: Mapping[str, Any]) -> bool:
    return label.get("system") == LABEL_SYSTEM
