"""The catalogue as HealthDCAT-AP, in JSON-LD and Turtle, for national and European portals to harvest.

HealthDCAT-AP extends DCAT-AP 3 with what datasets of health data need: their category of Article 51, the access body,
numbers of records and individuals. The datasets are not public: the distribution is the page where one applies.
"""

from collections.abc import Sequence
from datetime import date

from esante.core.open_data import (
    AUTHORITY,
    LANGUAGE_CODES,
    date_time_literal,
    language_literal,
    name_literals,
    reference,
    text_literals,
    typed_literal,
)
from esante.core.types import Json
from esante.core.web import current_agency
from esante.services.research.catalogue.model import Entry
from esante.services.research.terms import purposes

LEGISLATION = "http://data.europa.eu/eli/reg/2025/327/oj"
TITLES = {
    "fr": "Jeux de données de santé pour l’utilisation secondaire",
    "de": "Gesundheitsdatensätze für die Sekundärnutzung",
    "en": "Health datasets for secondary use",
    "lb": "Gesondheetsdonnéeë fir d’sekundär Benotzung",
}
_PROVENANCE = {
    "fr": "Extrait du dossier de soins partagé au moyen de vues SQL on FHIR.",
    "de": "Mit Ansichten nach SQL on FHIR aus der gemeinsamen Behandlungsakte gewonnen.",
    "en": "Made of the shared care record by views of SQL on FHIR.",
    "lb": "Aus dem gemeinsamen Dossier mat SQL-on-FHIR-Vuen ausgezunn.",
}


def build_catalogue(entries: Sequence[Entry], base_url: str) -> Json:
    """Return the catalogue with its datasets as a JSON-LD node."""
    agency = current_agency()
    publisher: Json = {
        "@id": f"{base_url}/research#access-body",
        "@type": "foaf:Agent",
        "foaf:name": name_literals(agency.agency_name),
    }
    node: Json = {
        "@id": f"{base_url}/research/catalog",
        "@type": "dcat:Catalog",
        "dct:title": text_literals(TITLES),
        "dct:description": text_literals(TITLES),
        "dct:publisher": publisher,
        "dcatap:applicableLegislation": reference(LEGISLATION),
        "foaf:homepage": reference(f"{base_url}/research"),
        "dct:language": [reference(f"{AUTHORITY}/language/{code}") for code in LANGUAGE_CODES.values()],
        "dcat:dataset": [_dataset(entry, base_url, publisher) for entry in entries],
    }
    measured = [entry.measured_at for entry in entries if entry.measured_at]
    if measured:
        node["dct:modified"] = date_time_literal(max(measured))
    return node


def _dataset(entry: Entry, base_url: str, publisher: Json) -> Json:
    dataset, agency = entry.dataset, current_agency()
    url = f"{base_url}/research/datasets/{dataset.name}"
    node: Json = {
        "@id": url,
        "@type": "dcat:Dataset",
        "dct:identifier": url,
        "dct:title": text_literals(dataset.titles),
        "dct:description": text_literals(dataset.descriptions),
        "dct:publisher": reference(publisher["@id"]),
        "healthdcatap:hdab": reference(publisher["@id"]),
        "dcat:contactPoint": {
            "@id": f"{base_url}/research#contact",
            "@type": "vcard:Organization",
            "vcard:fn": publisher["foaf:name"],
            "vcard:hasEmail": reference(f"mailto:{agency.helpdesk_mail}"),
            "vcard:hasURL": reference(f"{base_url}/research"),
        },
        "dcat:keyword": [language_literal(text, language) for language, text in dataset.titles.items()],
        "dcat:theme": reference(f"{AUTHORITY}/data-theme/HEAL"),
        "dct:spatial": reference(f"{AUTHORITY}/country/LUX"),
        "dct:accessRights": reference(f"{AUTHORITY}/access-right/NON_PUBLIC"),
        "dct:accrualPeriodicity": reference(f"{AUTHORITY}/frequency/DAILY"),
        "dcatap:applicableLegislation": reference(LEGISLATION),
        "healthdcatap:healthCategory": _article(dataset.article),
        "dpv:hasLegalBasis": _article(dataset.article),
        "dpv:hasPurpose": [_article(one.article) for one in purposes().values()],
        "dpv:hasPersonalData": reference("https://w3id.org/dpv/pd#HealthRecord"),
        "dct:provenance": {
            "@id": f"{url}#provenance",
            "@type": "dct:ProvenanceStatement",
            "dct:description": text_literals(_PROVENANCE),
        },
        "dcat:landingPage": reference(url),
        "dcat:distribution": {
            "@id": f"{url}#access",
            "@type": "dcat:Distribution",
            "dct:title": text_literals(dataset.titles),
            "dcat:accessURL": reference(url),
            "dct:format": reference(f"{AUTHORITY}/file-type/PARQUET"),
            "dcatap:applicableLegislation": reference(LEGISLATION),
        },
    }
    return node | _figures(entry, url)


def _article(article: str) -> Json:
    return language_literal(f"Regulation (EU) 2025/327, Article {article}", "en")


def _figures(entry: Entry, url: str) -> Json:
    """Return what is known of a dataset from its figures; nothing where too few persons are in it."""
    found: Json = {}
    if entry.measured_at:
        found["dct:modified"] = date_time_literal(entry.measured_at)
    if entry.rows is not None:
        found["healthdcatap:numberOfRecords"] = typed_literal(str(entry.rows), "xsd:nonNegativeInteger")
        found["healthdcatap:numberOfUniqueIndividuals"] = typed_literal(str(entry.persons), "xsd:nonNegativeInteger")
    if entry.coverage is not None:
        share = f"{entry.coverage} %"
        found["healthdcatap:populationCoverage"] = [language_literal(share, language) for language in LANGUAGE_CODES]
    if entry.first_day and entry.last_day:
        found["dct:temporal"] = {
            "@id": f"{url}#time",
            "@type": "dct:PeriodOfTime",
            "dcat:startDate": _date(entry.first_day),
            "dcat:endDate": _date(entry.last_day),
        }
    return found


def _date(day: date) -> Json:
    return typed_literal(day.isoformat(), "xsd:date")
