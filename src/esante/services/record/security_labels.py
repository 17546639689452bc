"""Confidentiality of a clinical resource as a security label (`meta.security`, v3 Confidentiality)."""

from collections.abc import Mapping
from typing import Any

import msgspec

from esante.core.fhir.store import Version
from esante.core.types import Json
from esante.core.web import N_, bad_request
from esante.identity.access import Confidentiality
from esante.services.record.documents.document_reference import LABEL_SYSTEM, LABELS, LEVELS


class _Labelled(msgspec.Struct):
    meta: Json = {}


_labelled = msgspec.json.Decoder(_Labelled)


def meta_of(version: Version) -> Json:
    """Return the meta of a version; empty for a version that is a deletion."""
    return {} if version.deleted else _labelled.decode(version.body).meta


def level_of(meta: Mapping[str, Any] | None, place: str) -> Confidentiality:
    """Return the strictest confidentiality among the labels of a meta; without one, normal.

    `place`: the FHIRPath of the labels. Raises: `Problem` 422 for an unknown code of v3 Confidentiality.
    """
    if not meta or "security" not in meta:
        return Confidentiality.NORMAL
    codes = [label.get("code", "") for label in meta["security"] if _is_level(label)]
    if any(code not in LEVELS for code in codes):
        title, remedy = N_("This confidentiality level does not exist."), N_("Use N, R or V from v3-Confidentiality.")
        raise bad_request(place, title, remedy, status=422, code="code-invalid")
    return max((LEVELS[code] for code in codes), key=tuple(Confidentiality).index, default=Confidentiality.NORMAL)


def merge_meta(meta: Mapping[str, Any] | None, before: Mapping[str, Any], level: Confidentiality) -> Json:
    """Return the meta of a next version: the meta sent, the tags and labels of the version before, and its level.

    In R4, labels and tags stay unless they are removed explicitly (resource.html, "Meta").
    """
    merged = dict(meta or {})
    for name in ("security", "tag"):
        sent = [label for label in merged.get(name) or () if not _is_level(label)]
        kept = [label for label in before.get(name) or () if label not in sent and not _is_level(label)]
        own = [{"system": LABEL_SYSTEM, "code": LABELS[level]}] if name == "security" else []
        merged[name] = [*sent, *kept, *(own if level is not Confidentiality.NORMAL else [])]
    return {name: value for name, value in merged.items() if value not in ([], None)}


def _is_level(label: Mapping[str, Any]) -> bool:
    return label.get("system") == LABEL_SYSTEM
