"""The vaccination history as PDF/A-2a and PDF/UA-1, from the template data/history.typ."""

from collections.abc import Sequence
from datetime import datetime
from importlib.resources import files

import orjson

from esante.core.time_zone import day_of
from esante.core.web import N_, current_agency, show_date, translator, typeset_pdf
from esante.identity.directory import Person
from esante.services.vaccination.card.model import Dose
from esante.services.vaccination.history.bundle import NONE_KNOWN, PARTIAL, TITLE, day_text
from esante.services.vaccination.products.catalogue import catalogue

_HEAD = (N_("Date"), N_("Vaccine"), N_("Protects against"), N_("Dose"), N_("Lot"), N_("Given by"))
COPIED = N_("copied")
OWN_ACCOUNT = N_("by the patient’s own account")
_COPIED_NOTE = N_(
    "“copied”: taken from another document by the professional named; “by the patient’s own account”: not confirmed."
)


def history_pdf(person: Person, doses: Sequence[Dose], language: str, at: datetime) -> bytes:
    """Return the PDF of a person's doses, in a language; the same doses give the same bytes."""
    text, day = translator(language).gettext, day_of(at)
    content = {
        "lang": language,
        "date": [day.year, day.month, day.day],
        "title": text(TITLE),
        "name": person.name,
        "born": text(N_("Date of birth: %(day)s")) % {"day": show_date(person.birth_date, language)},
        "agency": current_agency().agency_name.of(language),
        "asof": text(N_("as of %(day)s")) % {"day": show_date(day, language)},
        "page": text(N_("Page")),
        "none": text(NONE_KNOWN),
        "head": [text(name) for name in _HEAD],
        "rows": [_row(dose, language) for dose in doses],
        "notes": [text(_COPIED_NOTE), text(PARTIAL)],
    }
    template = files("esante.services.vaccination.history") / "data" / "history.typ"
    return typeset_pdf(template.read_bytes(), {"history": orjson.dumps(content).decode()}, at)


def _row(dose: Dose, language: str) -> list[str]:
    text, antigens = translator(language).gettext, catalogue().antigens
    who = [dose.performer or dose.author.name, dose.place] if dose.given_here else [dose.place, dose.author.name]
    remark = "" if dose.given_here else text(COPIED if dose.confirmed else OWN_ACCOUNT)
    return [
        day_text(dose.occurred, language),
        dose.name,
        ", ".join(text(antigens[key].label) for key in dose.antigens),
        dose.dose_number,
        dose.lot,
        ", ".join(part for part in (*who, remark) if part),
    ]
