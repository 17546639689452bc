"""The DCAT-AP 3 catalogue of the open data, in JSON-LD and Turtle, for portals to harvest.

One dataset, the bulletin, with a distribution for each file of each version of each month: SEMIC DCAT-AP 3.0, sections
6 and 7. Frequencies, countries, themes and file types are those of the EU authority tables.
"""

import calendar
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from esante.core.types import Json
from esante.core.web import N_, current_agency
from esante.services.bulletin.model import LANGUAGES
from esante.services.bulletin.publication.formatter import formatter
from esante.services.bulletin.publication.metadata import LICENCE
from esante.services.bulletin.publication.model import PublishedFile
from esante.settings import PerLanguage

DESCRIPTION = N_(
    "Monthly statistics on national eHealth services: shared care records, documents, "
    "access, professionals and the platform itself. Every figure has a month, a version "
    "and a status. All revisions remain available."
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
    """A released version of a month with its files; files that are not generated yet have no size."""

    period: str
    number: int
    status: str
    released_at: datetime
    files: Sequence[PublishedFile] = ()
    reason: str = ""
    """The reason of a revision."""


def build_catalogue(editions: Sequence[Edition], base_url: str) -> Json:
    """Return the catalogue with its dataset as a JSON-LD node; `editions`: newest first."""
    publisher = {
        "@id": f"{base_url}/bulletin#agency",
        "@type": "foaf:Agent",
        "foaf:name": _name_literals(current_agency().agency_name),
    }
    node = {
        "@id": f"{base_url}/bulletin/catalog",
        "@type": "dcat:Catalog",
        "dct:title": _name_literals(current_agency().bulletin_name),
        "dct:description": _in_all_languages(DESCRIPTION),
        "dct:publisher": publisher,
        "foaf:homepage": _reference(f"{base_url}/bulletin"),
        "dct:language": [_reference(f"{_EU}/language/{code}") for code in _LANGUAGES.values()],
    }
    if editions:
        node["dct:modified"] = _date_time(max(edition.released_at for edition in editions))
        node["dcat:dataset"] = _dataset(editions, base_url, publisher)
    return node


def _dataset(editions: Sequence[Edition], base_url: str, publisher: Json) -> Json:
    periods = [edition.period for edition in editions]
    times = [edition.released_at for edition in editions]
    return {
        "@id": f"{base_url}/bulletin#dataset",
        "@type": "dcat:Dataset",
        "dct:identifier": "cahier-esante",
        "dct:title": _name_literals(current_agency().bulletin_name),
        "dct:description": _in_all_languages(DESCRIPTION),
        "dct:publisher": {"@id": publisher["@id"]},
        "dcat:contactPoint": {
            "@id": f"{base_url}/bulletin#contact",
            "@type": "vcard:Organization",
            "vcard:fn": publisher["foaf:name"],
            "vcard:hasEmail": _reference(f"mailto:{current_agency().helpdesk_mail}"),
            "vcard:hasURL": _reference(f"{base_url}/bulletin"),
        },
        "dcat:keyword": [_language_literal(keyword, "en") for keyword in KEYWORDS],
        "dcat:theme": _reference(f"{_EU}/data-theme/HEAL"),
        "dct:accrualPeriodicity": _reference(f"{_EU}/frequency/MONTHLY"),
        "dct:spatial": _reference(f"{_EU}/country/LUX"),
        "dct:temporal": {
            "@id": f"{base_url}/bulletin#time",
            "@type": "dct:PeriodOfTime",
            "dcat:startDate": _typed_literal(f"{min(periods)}-01", "xsd:date"),
            "dcat:endDate": _typed_literal(last_day(max(periods)), "xsd:date"),
        },
        "dct:accessRights": _reference(f"{_EU}/access-right/PUBLIC"),
        "dct:issued": _date_time(min(times)),
        "dct:modified": _date_time(max(times)),
        "dct:license": _reference(LICENCE),
        "dcat:landingPage": _reference(f"{base_url}/bulletin"),
        "dcat:distribution": [
            _distribution(edition, file, base_url) for edition in editions for file in edition.files
        ],
    }


def _distribution(edition: Edition, file: PublishedFile, base_url: str) -> Json:
    url = f"{base_url}/bulletin/files/{file.path.name}"
    node = {
        "@id": url,
        "@type": "dcat:Distribution",
        "dct:identifier": file.path.name,
        "dct:title": _language_literal(f"{file.title} ({edition.period}, v{edition.number})", file.language or "en"),
        "dcat:accessURL": _reference(url),
        "dcat:downloadURL": _reference(url),
        "dcat:mediaType": _reference(f"https://www.iana.org/assignments/media-types/{file.media_type}"),
        "dct:format": _reference(f"{_EU}/file-type/{_TYPES[file.path.suffix[1:]]}"),
        "dct:license": _reference(LICENCE),
        "dct:issued": _date_time(edition.released_at),
    }
    if file.size:
        node["dcat:byteSize"] = _typed_literal(str(file.size), "xsd:nonNegativeInteger")
        node["spdx:checksum"] = {
            "@id": f"{url}#sha256",
            "@type": "spdx:Checksum",
            "spdx:algorithm": _reference("http://spdx.org/rdf/terms#checksumAlgorithm_sha256"),
            # DCAT-AP has the datatype xsd:hexBinary; with it udata 17.18 refuses the whole dataset.
            "spdx:checksumValue": file.sha256,
        }
    if file.language:
        node["dct:language"] = _reference(f"{_EU}/language/{_LANGUAGES[file.language]}")
    return node


def last_day(period: str) -> str:
    """Return the last day of a month: "2026-10-31"."""
    year, month = int(period[:4]), int(period[5:])
    return f"{period}-{calendar.monthrange(year, month)[1]:02}"


def encode_jsonld(node: Json) -> bytes:
    """Return a node as JSON-LD 1.1 with its context."""
    return orjson.dumps({"@context": _PREFIXES, **node}, option=orjson.OPT_INDENT_2) + b"\n"


def encode_turtle(node: Json) -> bytes:
    """Return a node as Turtle 1.1."""
    prefixes = [f"@prefix {name}: <{url}> ." for name, url in _PREFIXES.items()]
    return "\n".join([*prefixes, "", *_turtle_blocks(node)]).encode()


def _turtle_blocks(node: Json) -> Iterator[str]:
    """Yield the block of a resource with its properties, then those of nested resources; references have none."""
    nested = []
    lines = [f"<{node['@id']}> a {node['@type']}"]
    for name, value in node.items():
        if name.startswith("@"):
            continue
        values = value if isinstance(value, list) else [value]
        lines.append(f"    {name} " + ", ".join(_turtle_term(one) for one in values))
        nested += [one for one in values if isinstance(one, dict) and "@type" in one and "@id" in one]
    yield " ;\n".join(lines) + " .\n"
    for one in nested:
        yield from _turtle_blocks(one)


def _turtle_term(value: str | Json) -> str:
    if isinstance(value, str):
        return _turtle_string(value)
    if "@id" in value:
        return f"<{value['@id']}>"
    if "@language" in value:
        return f"{_turtle_string(value['@value'])}@{value['@language']}"
    return f"{_turtle_string(value['@value'])}^^{value['@type']}"


def _turtle_string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


def _reference(url: str) -> Json:
    return {"@id": url}


def _language_literal(text: str, language: str) -> Json:
    return {"@value": text, "@language": language}


def _name_literals(name: PerLanguage) -> list[Json]:
    return [_language_literal(name.of(language), language) for language in LANGUAGES if name.of(language)]


def _in_all_languages(msgid: str) -> list[Json]:
    return [_language_literal(formatter(language).text(msgid), language) for language in LANGUAGES]


def _typed_literal(value: str, type_: str) -> Json:
    return {"@value": value, "@type": type_}


def _date_time(at: datetime) -> Json:
    return _typed_literal(at.isoformat(), "xsd:dateTime")
