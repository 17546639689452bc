"""Documents of the SOC as PDF/A-2a and PDF/UA-1, from the template data/document.typ."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files

import orjson

from esante.core.time_zone import day_of
from esante.core.web import N_, current_agency, translator, typeset_pdf


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document: a title, a line of marks under it, and sections of a heading and a text of lines."""

    title: str
    mark: str
    reference: str
    sections: Sequence[tuple[str, str]]


def document_pdf(document: Document, language: str, at: datetime) -> bytes:
    """Return the PDF of a document in a language; the same document gives the same bytes. Raises: as `typeset_pdf`."""
    day = day_of(at)
    content = {
        "lang": language,
        "date": [day.year, day.month, day.day],
        "title": document.title,
        "mark": document.mark,
        "reference": document.reference,
        "agency": current_agency().agency_name.of(language),
        "page": translator(language).gettext(N_("Page")),
        "sections": [[heading, text.split("\n")] for heading, text in document.sections],
    }
    template = files("esante.services.soc") / "data" / "document.typ"
    return typeset_pdf(template.read_bytes(), {"document": orjson.dumps(content).decode()}, at)


def labelled(name: str, value: str, language: str) -> str:
    """Return a name and its value as a line of a language."""
    return translator(language).gettext(N_("%(name)s: %(value)s")) % {"name": name, "value": value}
