"""Notes of requests that have only codes (the national message simulationMedecin/UTA), and the amounts they get."""

from dataclasses import replace
from decimal import Decimal

from esante.identity.directory import Address, Person, Practitioner
from esante.services.billing.adjudication.model import Adjudication
from esante.services.billing.note.model import (
    Accident,
    Act,
    Biller,
    FeeNote,
    Insured,
    NoteLine,
    Patient,
    Period,
    PostalAddress,
    Settlement,
)
from esante.services.billing.payment.model import NOTHING
from esante.services.billing.pid.model import NoteRequest

_UNKNOWN_STREET = "-"
"""The national XML wants a street."""


def compose_note(request: NoteRequest, biller: Practitioner, patient: Person, site: Address | None) -> FeeNote:
    """Return the note of a request, with names and addresses of the directory, and amounts of nothing."""
    given = " ".join(patient.given)
    return FeeNote(
        id=request.note_id,
        issued_on=request.issued_on,
        biller=Biller(
            provider_code=request.provider_code,
            family=biller.family,
            given=" ".join(biller.given),
            title=biller.title,
            address=_postal(site or Address()),
        ),
        patient=Patient(
            matricule=request.matricule,
            family=patient.family,
            given=given,
            accident=Accident(number=request.accident_number) if request.accident_number else None,
        ),
        insured=Insured(family=patient.family, given=given, address=_postal(patient.address)),
        lines=tuple(
            NoteLine(
                number=number,
                id=line.id,
                act=Act(code=line.code),
                period=Period(start=line.on),
                quantity=line.quantity,
                gross=NOTHING,
                place=line.place,
                hospital_class=line.hospital_class,
            )
            for number, line in enumerate(request.lines, 1)
        ),
        settlement=Settlement(subtotal=NOTHING, due=NOTHING),
    )


def has_amounts(note: FeeNote) -> bool:
    """Return whether the lines of a note say what is charged."""
    return any(line.gross for line in note.lines)


def with_amounts(note: FeeNote, adjudication: Adjudication) -> FeeNote:
    """Return a note with the amounts that its adjudication gives where it has none: the tariff of each line.

    The patient owes their share.
    """
    if has_amounts(note):
        return note
    decisions = {one.number: one for one in adjudication.lines}
    lines = tuple(
        replace(line, gross=one.tariff + one.convenience, personal=one.personal + one.convenience)
        for line in note.lines
        for one in (decisions[line.number],)
    )
    subtotal = sum((line.gross for line in lines), Decimal("0.00"))
    return replace(
        note, lines=lines, settlement=replace(note.settlement, subtotal=subtotal, due=adjudication.personal)
    )


def _postal(address: Address) -> PostalAddress:
    return PostalAddress(
        street=address.line[:80] or _UNKNOWN_STREET,
        postal_code=address.postal_code[:15],
        city=address.city[:80],
        country=address.country[:2],
    )
