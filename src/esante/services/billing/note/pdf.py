"""A fee note for the patient as PDF/A-3a and PDF/UA-1, with the national XML and the FHIR Claim attached.

The 2D code on it lets whoever gets the paper find the note again: see `code_text`.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from importlib.resources import files
from io import BytesIO
from typing import Any

import orjson
import segno
from babel.numbers import format_currency

from esante.core.fhir import encode
from esante.core.web import N_, show_date, translator, typeset_pdf
from esante.services.billing.adjudication.model import Adjudication
from esante.services.billing.note.fhir_claim import claim
from esante.services.billing.note.model import FeeNote, NoteLine, PostalAddress
from esante.services.billing.note.national_xml import write_note

CODE_VERSION = "MH1"
TITLE = N_("Fee note")
_HEAD = (N_("Date"), N_("Code"), N_("Medical act"), N_("Quantity"), N_("Amount"))
_SHARES = (N_("Health insurance"), N_("Your share"))
_SENT = N_("Your doctor has sent this note to the platform. You need not send the paper by post.")


def code_text(note: FeeNote) -> str:
    """Return what the 2D code says, about 75 characters of the alphanumeric mode of QR codes.

    `MH1:UUID:provider code:day (YYYYMMDD):total in cents:check`; the check is the first 8 hexadecimal digits of the
    SHA-256 of what comes before it, without the last colon. It says nothing of the patient.
    """
    cents = int(note.total * 100)
    text = f"{CODE_VERSION}:{note.id}:{note.biller.provider_code}:{note.issued_on:%Y%m%d}:{cents}".upper()
    return f"{text}:{hashlib.sha256(text.encode()).hexdigest()[:8].upper()}"


def note_pdf(note: FeeNote, adjudication: Adjudication | None, language: str, at: datetime) -> bytes:
    """Return the PDF of a note in a language, dated `at`; with its adjudication, with the shares of each line.

    The same note gives the same bytes.
    """
    plain = replace(note, document=b"")
    picture = BytesIO()
    segno.make(code_text(note), error="m", micro=False).save(picture, kind="svg", border=4, xmldecl=False)
    inputs = {
        "note": orjson.dumps(_content(note, adjudication, language)).decode(),
        "xml": write_note(plain).decode(),
        "claim": encode(claim(plain, "claim")).decode(),
        "code": picture.getvalue().decode(),
    }
    template = files("esante.services.billing.note") / "data" / "fee_note.typ"
    return typeset_pdf(template.read_bytes(), inputs, at, standard="a-3a")


def _content(note: FeeNote, adjudication: Adjudication | None, language: str) -> dict[str, Any]:
    text, day, biller = translator(language).gettext, note.issued_on, note.biller
    shares = _SHARES if adjudication else ()
    return {
        "lang": language,
        "date": [day.year, day.month, day.day],
        "title": text(TITLE),
        "number": note.number or str(note.id),
        "page": text(N_("Page")),
        "biller": [
            " ".join(part for part in (biller.title, biller.given, biller.family) if part),
            f"{text(N_('Provider code'))} {biller.provider_code[:6]}-{biller.provider_code[6:]}",
            *_address(biller.address),
            *(part for part in (biller.phone, biller.email) if part),
        ],
        "address": [_name(note.insured.given, note.insured.family), *_address(note.insured.address)],
        "facts": [[text(label), value] for label, value in _facts(note, language) if value],
        "head": [text(label) for label in (*_HEAD, *shares)],
        "rows": [_row(line, adjudication, language) for line in note.lines],
        "sums": [[text(label), _money(amount, language)] for label, amount in _sums(note, adjudication)],
        "notes": [text(_SENT), *(part for part in (note.transfer_text,) if part)],
        "code": text(N_("2D code with the number of this fee note")),
        "attached": [text(N_("The fee note in the format of the health insurance")), text(N_("The fee note in FHIR"))],
    }


def _facts(note: FeeNote, language: str) -> Iterator[tuple[str, str]]:
    settlement, text = note.settlement, translator(language).gettext
    yield N_("Patient"), _name(note.patient.given, note.patient.family)
    yield N_("National identification number (matricule)"), note.patient.matricule
    yield N_("Date"), show_date(note.issued_on, language)
    yield N_("Hospital"), note.hospital_name
    if settlement.settled and settlement.settled_on:
        yield N_("Paid on"), show_date(settlement.settled_on, language)
    else:
        yield N_("Paid"), text(N_("Yes") if settlement.settled else N_("No"))


def _row(line: NoteLine, adjudication: Adjudication | None, language: str) -> list[str]:
    act = line.act
    row = [
        show_date(line.period.start, language),
        "".join((*act.prefixes, act.code, *act.suffixes)),
        act.label,
        str(line.quantity),
        _money(line.gross, language),
    ]
    if adjudication is not None:
        decision = next((one for one in adjudication.lines if one.number == line.number), None)
        parts = (decision.statutory, decision.personal + decision.convenience) if decision else (None, None)
        row += ["" if part is None else _money(part, language) for part in parts]
    return row


def _sums(note: FeeNote, adjudication: Adjudication | None) -> Iterator[tuple[str, Decimal]]:
    settlement = note.settlement
    yield N_("Total"), note.total
    if settlement.carried_over is not None:
        yield N_("Carried over"), settlement.carried_over
    if settlement.deposit is not None:
        yield N_("Advance payment"), -settlement.deposit
    if adjudication is not None:
        yield _SHARES[0], adjudication.statutory
        yield _SHARES[1], adjudication.personal
    yield N_("To pay"), settlement.due


def _money(amount: Decimal, language: str) -> str:
    return format_currency(amount, "EUR", locale=language)


def _name(given: str, family: str) -> str:
    return " ".join(part for part in (given, family) if part)


def _address(address: PostalAddress) -> list[str]:
    first = " ".join(part for part in (address.number, address.street) if part)
    second = " ".join(part for part in (address.postal_code, address.city) if part)
    return [part for part in (*address.extensions, first, second, address.country) if part]
