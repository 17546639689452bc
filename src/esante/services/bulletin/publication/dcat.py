"""The record of the open data as DCAT-AP 3, in JSON-LD and Turtle, for a portal to harvest.

One dataset, the bulletin; a distribution for each file of each version of each month. See the SEMIC
specification DCAT-AP 3.0, section 6 and 7; frequency, country, theme and file type are the EU's authority tables.
"""

import calendar
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from esante.core.web import N_
from esante.services.bulletin.model import LANGUAGES
from esante.services.bulletin.publication.formatting import words
from esante.services.bulletin.publication.metadata import LICENCE
from esante.services.bulletin.publication.model import File

TITLE = "Cahier eSanté"
DESCRIPTION = N_(
    "Monthly figures on the national eHealth services: shared care records, documents, access, professionals and the"
    " platform itself. Every figure has its month, its version and its status; revisions stay available."
)
KEYWORDS = ("ehealth", "esante", "dossier-de-soins-partage", "statistics", "luxembourg")
_EU = "http://publications.europa.eu/resource/authority"
_PREFIXES = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "spdx": "http://spdx.org/rdf/terms#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "adms": "http://www.w3.org/ns/adms#",
}
_TYPES = {
    "csv": "CSV",
    "xlsx": "XLSX",
    "parquet": "PARQUET",
    "json": "JSON",
    "pdf": "PDF",
    "ttl": "RDF_TURTLE",
    "jsonld": "JSON_LD",
}
_LANGUAGES = {"fr": "FRA", "de": "DEU", "en": "ENG", "lb": "LTZ"}


@dataclass(frozen=True, slots=True)
class Edition:
    """A released version of a month, with its files; those not made yet have no size."""

    period: str
    number: int
    status: str
    released_at: datetime
    files: Sequence[File] = ()
    reason: str = ""
    """Why it was corrected."""


Node = dict[str, Any]


def catalogue(editions: Sequence[Edition], base_url: str) -> Node:
    """The catalogue with the dataset, as a JSON-LD node; editions newest first."""
    agency = {
        "@id": f"{base_url}/bulletin#agency",
        "@type": "foaf:Agent",
        "foaf:name": _text("Agence eSanté", "fr"),
    }
    about = {
        "@id": f"{base_url}/bulletin/catalog",
        "@type": "dcat:Catalog",
        "dct:title": _text(TITLE, "fr"),
        "dct:description": _four(DESCRIPTION),
        "dct:publisher": agency,
        "foaf:homepage": _ref(f"{base_url}/bulletin"),
        "dct:language": [_ref(f"{_EU}/language/{code}") for code in _LANGUAGES.values()],
    }
    if editions:
        about["dct:modified"] = _moment(max(edition.released_at for edition in editions))
        about["dcat:dataset"] = _dataset(editions, base_url, agency)
    return about


def _dataset(editions: Sequence[Edition], base_url: str, agency: Node) -> Node:
    periods = [edition.period for edition in editions]
    times = [edition.released_at for edition in editions]
    return {
        "@id": f"{base_url}/bulletin#dataset",
        "@type": "dcat:Dataset",
        "dct:identifier": "cahier-esante",
        "dct:title": [_text(TITLE, language) for language in LANGUAGES],
        "dct:description": _four(DESCRIPTION),
        "dct:publisher": {"@id": agency["@id"]},
        "dcat:contactPoint": {
            "@id": f"{base_url}/bulletin#contact",
            "@type": "vcard:Organization",
            "vcard:fn": "Agence eSanté",
            "vcard:hasURL": _ref(f"{base_url}/bulletin"),
        },
        "dcat:keyword": [_text(keyword, "en") for keyword in KEYWORDS],
        "dcat:theme": _ref(f"{_EU}/data-theme/HEAL"),
        "dct:accrualPeriodicity": _ref(f"{_EU}/frequency/MONTHLY"),
        "dct:spatial": _ref(f"{_EU}/country/LUX"),
        "dct:temporal": {
            "@id": f"{base_url}/bulletin#time",
            "@type": "dct:PeriodOfTime",
            "dcat:startDate": _typed(f"{min(periods)}-01", "xsd:date"),
            "dcat:endDate": _typed(last_day(max(periods)), "xsd:date"),
        },
        "dct:accessRights": _ref(f"{_EU}/access-right/PUBLIC"),
        "dct:issued": _moment(min(times)),
        "dct:modified": _moment(max(times)),
        "dct:license": _ref(LICENCE),
        "dcat:landingPage": _ref(f"{base_url}/bulletin"),
        "dcat:distribution": [
            _distribution(edition, file, base_url) for edition in editions for file in edition.files
        ],
    }


def _distribution(edition: Edition, file: File, base_url: str) -> Node:
    url = f"{base_url}/bulletin/files/{file.path.name}"
    node = {
        "@id": url,
        "@type": "dcat:Distribution",
        "dct:identifier": file.path.name,
        "dct:title": _text(f"{file.title} ({edition.period}, v{edition.number})", file.language or "en"),
        "dcat:accessURL": _ref(url),
        "dcat:downloadURL": _ref(url),
        "dcat:mediaType": _ref(f"https://www.iana.org/assignments/media-types/{file.media_type}"),
        "dct:format": _ref(f"{_EU}/file-type/{_TYPES[file.path.suffix[1:]]}"),
        "dct:license": _ref(LICENCE),
        "dct:issued": _moment(edition.released_at),
    }
    if file.size:
        node["dcat:byteSize"] = _typed(str(file.size), "xsd:nonNegativeInteger")
        node["spdx:checksum"] = {
            "@id": f"{url}#sha256",
            "@type": "spdx:Checksum",
            "spdx:algorithm": _ref("http://spdx.org/rdf/terms#checksumAlgorithm_sha256"),
            # DCAT-AP types it xsd:hexBinary; udata 17.18 then takes it for bytes and refuses the whole dataset.
            "spdx:checksumValue": file.sha256,
        }
    if file.language:
        node["dct:language"] = _ref(f"{_EU}/language/{_LANGUAGES[file.language]}")
    return node


def last_day(period: str) -> str:
    """The last day of a month: "2026-10-31"."""
    year, month = int(period[:4]), int(period[5:])
    return f"{period}-{calendar.monthrange(year, month)[1]:02}"


def jsonld(node: Node) -> bytes:
    """The node as JSON-LD 1.1 with its context."""
    return orjson.dumps({"@context": _PREFIXES, **node}, option=orjson.OPT_INDENT_2) + b"\n"


def turtle(node: Node) -> bytes:
    """The node as Turtle 1.1: every resource with an id is a paragraph."""
    prefixes = [f"@prefix {name}: <{url}> ." for name, url in _PREFIXES.items()]
    return "\n".join([*prefixes, "", *_paragraphs(node)]).encode()


def _paragraphs(node: Node) -> Iterator[str]:
    """A resource with its properties, then those within it; a mere reference has none."""
    within = []
    lines = [f"<{node['@id']}> a {node['@type']}"]
    for name, value in node.items():
        if name.startswith("@"):
            continue
        values = value if isinstance(value, list) else [value]
        lines.append(f"    {name} " + ", ".join(_term(one) for one in values))
        within += [one for one in values if isinstance(one, dict) and "@type" in one and "@id" in one]
    yield " ;\n".join(lines) + " .\n"
    for one in within:
        yield from _paragraphs(one)


def _term(value: str | Node) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if "@id" in value:
        return f"<{value['@id']}>"
    if "@language" in value:
        return f"{_quoted(value['@value'])}@{value['@language']}"
    return f"{_quoted(value['@value'])}^^{value['@type']}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


def _ref(url: str) -> Node:
    return {"@id": url}


def _text(text: str, language: str) -> Node:
    return {"@value": text, "@language": language}


def _four(msgid: str) -> list[Node]:
    return [_text(words(language).text(msgid), language) for language in LANGUAGES]


def _typed(value: str, type_: str) -> Node:
    return {"@value": value, "@type": type_}


def _moment(at: datetime) -> Node:
    return _typed(at.isoformat(), "xsd:dateTime")
