"""Advisories for other centres: as a bundle of STIX 2.1, and as an event of MISP.

OASIS STIX 2.1, sections 4.7 and 4.14; MISP core format, section 2.2. An exercise says so in its title and its labels.
"""

from collections.abc import Mapping
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson

from esante.core.web import N_, Problem
from esante.services.soc.intelligence.model import Tlp
from esante.services.soc.intelligence.observables import Observable, ObservableKind
from esante.services.soc.intelligence.stix import TLP_MARKINGS
from esante.services.soc.sharing.model import Advisory

_PATTERNS: Mapping[str, str] = {
    ObservableKind.DOMAIN: "domain-name:value",
    ObservableKind.URL: "url:value",
    ObservableKind.EMAIL: "email-addr:value",
}
_HASHES = {32: ("MD5", "md5"), 40: ("SHA-1", "sha1"), 64: ("SHA-256", "sha256"), 128: ("SHA-512", "sha512")}
_MISP_TYPES: Mapping[str, str] = {
    ObservableKind.IP: "ip-dst",
    ObservableKind.NETWORK: "ip-dst",
    ObservableKind.DOMAIN: "domain",
    ObservableKind.URL: "url",
    ObservableKind.EMAIL: "email-src",
}
_EXERCISE = "EXERCISE EXERCISE EXERCISE"


def to_stix(advisory: Advisory, agency: str, language: str = "en") -> bytes:
    """Return an advisory as a bundle. Raises: Problem 403 for one that nobody outside may get."""
    import stix2

    _check_tlp(advisory)
    marking = {"object_marking_refs": [_marking(advisory.tlp)], "created": advisory.published_at}
    labels = {"labels": ["exercise"]} if advisory.is_exercise else {}
    author = stix2.Identity(
        id=f"identity--{uuid5(NAMESPACE_URL, agency)}",
        name=agency,
        identity_class="organization",
        created=advisory.published_at,
        modified=advisory.published_at,
    )
    indicators = [
        stix2.Indicator(
            id=f"indicator--{_key(advisory, one)}",
            name=_title(advisory, language),
            pattern=_pattern(one),
            pattern_type="stix",
            valid_from=advisory.published_at,
            modified=advisory.published_at,
            created_by_ref=author.id,
            **marking,
            **labels,
        )
        for one in advisory.indicators
        if _is_exchanged(one)
    ]
    report = stix2.Report(
        id=f"report--{advisory.advisory_id}",
        name=_title(advisory, language),
        description=advisory.in_language(language).text,
        published=advisory.published_at,
        modified=advisory.published_at,
        object_refs=[author.id, *(one.id for one in indicators)],
        created_by_ref=author.id,
        lang=language,
        **marking,
        **labels,
    )
    bundle = stix2.Bundle(author, *indicators, report, id=f"bundle--{advisory.advisory_id}", allow_custom=True)
    return str(bundle.serialize(pretty=True)).encode()


def to_misp(advisory: Advisory, agency: str, language: str = "en") -> bytes:
    """Return an advisory as an event of MISP. Raises: Problem 403 for one that nobody outside may get."""
    _check_tlp(advisory)
    stamp = str(int(advisory.published_at.timestamp()))
    tags = [{"name": f"tlp:{advisory.tlp}"}]
    if advisory.is_exercise:
        tags.append({"name": "exercise:generic"})
    event = {
        "uuid": str(advisory.advisory_id),
        "info": _title(advisory, language),
        "date": advisory.published_at.date().isoformat(),
        "timestamp": stamp,
        "published": True,
        "analysis": "2",
        "threat_level_id": "4",
        "distribution": "0",
        "Orgc": {"name": agency, "uuid": str(uuid5(NAMESPACE_URL, agency))},
        "Tag": tags,
        "Attribute": [
            {
                "uuid": str(_key(advisory, one)),
                "type": _HASHES[len(one.value)][1] if one.kind is ObservableKind.HASH else _MISP_TYPES[one.kind],
                "category": "Network activity" if one.kind is not ObservableKind.HASH else "Payload delivery",
                "value": one.value,
                "to_ids": True,
                "timestamp": stamp,
            }
            for one in advisory.indicators
            if _is_exchanged(one)
        ],
    }
    return orjson.dumps({"response": [{"Event": event}]}, option=orjson.OPT_INDENT_2)


def _check_tlp(advisory: Advisory) -> None:
    if advisory.tlp in (Tlp.RED, Tlp.AMBER_STRICT):
        remedy = N_("TLP:RED stays with those it was given to, TLP:AMBER+STRICT within their organisation.")
        raise Problem(403, "forbidden", N_("This advisory may not be given to others."), remedy=remedy)


def _title(advisory: Advisory, language: str) -> str:
    title = advisory.in_language(language).title
    return f"{_EXERCISE}: {title}" if advisory.is_exercise else title


def _marking(tlp: Tlp) -> str:
    """Return the identifier of a TLP of version 2.0."""
    return [ref for ref, known in TLP_MARKINGS.items() if known is tlp][-1]


def _key(advisory: Advisory, one: Observable) -> UUID:
    return uuid5(advisory.advisory_id, f"{one.kind}:{one.value}")


def _is_exchanged(one: Observable) -> bool:
    return one.kind is not ObservableKind.HASH or len(one.value) in _HASHES


def _pattern(one: Observable) -> str:
    value = one.value.replace("\\", "\\\\").replace("'", "\\'")
    match one.kind:
        case ObservableKind.IP | ObservableKind.NETWORK:
            path = f"ipv{'6' if ':' in value else '4'}-addr:value"
        case ObservableKind.HASH:
            path = f"file:hashes.'{_HASHES[len(value)][0]}'"
        case _:
            path = _PATTERNS[one.kind]
    return f"[{path} = '{value}']"
