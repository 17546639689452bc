"""The DCAT-AP 3 catalogue of the open data, in JSON-LD and Turtle, for portals to harvest.

One dataset, the bulletin, with a distribution for each file of each version of each month: SEMIC DCAT-AP 3.0, sections
6 and 7. Frequencies, countries, themes and file types are those of the EU authority tables.
"""

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from esante.core.open_data import (
    AUTHORITY,
    LANGUAGE_CODES,
    date_time_literal,
    language_literal,
    name_literals,
    reference,
    typed_literal,
)
from esante.core.types import Json
from esante.core.web import N_, current_agency
from esante.services.bulletin.model import LANGUAGES
from esante.services.bulletin.publication.formatter import formatter
from esante.services.bulletin.publication.metadata import LICENCE
from esante.services.bulletin.publication.model import PublishedFile

DESCRIPTION = N_(
    "Monthly statistics on national eHealth services: shared care records, documents, "
    "access, professionals and the platform itself. Every figure has a month, a version "
    "and a status. All revisions remain available."
)
KEYWORDS = ("ehealth", "esante", "dossier-de-soins-partage", "statistics", "luxembourg")
_TYPES = {
    "csv": "CSV",
    "xlsx": "XLSX",
    "parquet": "PARQUET",
    "json": "JSON",
    "pdf": "PDF",
    "ttl": "RDF_TURTLE",
    "jsonld": "JSON_LD",
}


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
        "foaf:name": name_literals(current_agency().agency_name),
    }
    node = {
        "@id": f"{base_url}/bulletin/catalog",
        "@type": "dcat:Catalog",
        "dct:title": name_literals(current_agency().bulletin_name),
        "dct:description": _in_all_languages(DESCRIPTION),
        "dct:publisher": publisher,
        "foaf:homepage": reference(f"{base_url}/bulletin"),
        "dct:language": [reference(f"{AUTHORITY}/language/{code}") for code in LANGUAGE_CODES.values()],
    }
    if editions:
        node["dct:modified"] = date_time_literal(max(edition.released_at for edition in editions))
        node["dcat:dataset"] = _dataset(editions, base_url, publisher)
    return node


def _dataset(editions: Sequence[Edition], base_url: str, publisher: Json) -> Json:
    periods = [edition.period for edition in editions]
    times = [edition.released_at for edition in editions]
    return {
        "@id": f"{base_url}/bulletin#dataset",
        "@type": "dcat:Dataset",
        "dct:identifier": "cahier-esante",
        "dct:title": name_literals(current_agency().bulletin_name),
        "dct:description": _in_all_languages(DESCRIPTION),
        "dct:publisher": {"@id": publisher["@id"]},
        "dcat:contactPoint": {
            "@id": f"{base_url}/bulletin#contact",
            "@type": "vcard:Organization",
            "vcard:fn": publisher["foaf:name"],
            "vcard:hasEmail": reference(f"mailto:{current_agency().helpdesk_mail}"),
            "vcard:hasURL": reference(f"{base_url}/bulletin"),
        },
        "dcat:keyword": [language_literal(keyword, "en") for keyword in KEYWORDS],
        "dcat:theme": reference(f"{AUTHORITY}/data-theme/HEAL"),
        "dct:accrualPeriodicity": reference(f"{AUTHORITY}/frequency/MONTHLY"),
        "dct:spatial": reference(f"{AUTHORITY}/country/LUX"),
        "dct:temporal": {
            "@id": f"{base_url}/bulletin#time",
            "@type": "dct:PeriodOfTime",
            "dcat:startDate": typed_literal(f"{min(periods)}-01", "xsd:date"),
            "dcat:endDate": typed_literal(last_day(max(periods)), "xsd:date"),
        },
        "dct:accessRights": reference(f"{AUTHORITY}/access-right/PUBLIC"),
        "dct:issued": date_time_literal(min(times)),
        "dct:modified": date_time_literal(max(times)),
        "dct:license": reference(LICENCE),
        "dcat:landingPage": reference(f"{base_url}/bulletin"),
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
        "dct:title": language_literal(f"{file.title} ({edition.period}, v{edition.number})", file.language or "en"),
        "dcat:accessURL": reference(url),
        "dcat:downloadURL": reference(url),
        "dcat:mediaType": reference(f"https://www.iana.org/assignments/media-types/{file.media_type}"),
        "dct:format": reference(f"{AUTHORITY}/file-type/{_TYPES[file.path.suffix[1:]]}"),
        "dct:license": reference(LICENCE),
        "dct:issued": date_time_literal(edition.released_at),
    }
    if file.size:
        node["dcat:byteSize"] = typed_literal(str(file.size), "xsd:nonNegativeInteger")
        node["spdx:checksum"] = {
            "@id": f"{url}#sha256",
            "@type": "spdx:Checksum",
            "spdx:algorithm": reference("http://spdx.org/rdf/terms#checksumAlgorithm_sha256"),
            # DCAT-AP has the datatype xsd:hexBinary; with it udata 17.18 refuses the whole dataset.
            "spdx:checksumValue": file.sha256,
        }
    if file.language:
        node["dct:language"] = reference(f"{AUTHORITY}/language/{LANGUAGE_CODES[file.language]}")
    return node


def last_day(period: str) -> str:
    """Return the last day of a month: "2026-10-31"."""
    year, month = int(period[:4]), int(period[5:])
    return f"{period}-{calendar.monthrange(year, month)[1]:02}"


def _in_all_languages(msgid: str) -> list[Json]:
    return [language_literal(formatter(language).text(msgid), language) for language in LANGUAGES]
