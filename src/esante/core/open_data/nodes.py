"""The values of nodes: references, literals in languages and with types."""

from collections.abc import Mapping
from datetime import datetime

from esante.core.types import Json
from esante.settings import PerLanguage

AUTHORITY = "http://publications.europa.eu/resource/authority"
"""Where the EU authority tables are."""
LANGUAGE_CODES = {"fr": "FRA", "de": "DEU", "en": "ENG", "lb": "LTZ"}
"""The codes of the languages in the authority table of languages."""


def reference(url: str) -> Json:
    """Return a reference to a resource."""
    return {"@id": url}


def language_literal(text: str, language: str) -> Json:
    """Return a text in a language."""
    return {"@value": text, "@language": language}


def text_literals(texts: Mapping[str, str]) -> list[Json]:
    """Return texts by their languages."""
    return [language_literal(texts[language], language) for language in LANGUAGE_CODES if texts.get(language)]


def name_literals(name: PerLanguage) -> list[Json]:
    """Return a name of the settings in the languages that it has."""
    return text_literals({language: name.of(language) for language in LANGUAGE_CODES})


def typed_literal(value: str, type_: str) -> Json:
    """Return a value of an XML Schema type, for example "xsd:date"."""
    return {"@value": value, "@type": type_}


def date_time_literal(at: datetime) -> Json:
    """Return a moment."""
    return typed_literal(at.isoformat(), "xsd:dateTime")
