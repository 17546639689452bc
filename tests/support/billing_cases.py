"""Cases of adjudication, as the tables of tests/services/billing/adjudication/cases write them."""

import tomllib
from collections.abc import Iterator, Mapping
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from esante.services.billing.adjudication.model import Approval, Case, Cover, PastAct
from esante.services.billing.note.model import (
    Accident,
    Act,
    Biller,
    FeeNote,
    Indications,
    Insured,
    NoteLine,
    Patient,
    Period,
    PostalAddress,
    Settlement,
)

PROVIDER = "90000011"
ADDRESS = PostalAddress(street="Rue de l’Exemple", postal_code="1111", city="Luxembourg", country="LU")
COVER = Cover(fund="CNS", since=date(1900, 1, 1))


def read_cases(folder: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the cases of all tables of a folder, with the name of each."""
    for path in sorted(folder.glob("*.toml")):
        for row in tomllib.loads(path.read_text("utf-8"))["case"]:
            yield f"{path.stem}: {row['name']}", row


def make_line(number: int, row: Mapping[str, Any], on: date) -> NoteLine:
    """Return a line of a table; `act` is the code, `letters` stand behind it, `day` is that of the note unless given."""
    start, end = row.get("time"), row.get("end_time")
    return NoteLine(
        number=number,
        act=Act(code=row["act"], suffixes=tuple(row.get("letters", ""))),
        period=Period(
            start=row.get("day", on),
            start_time=time.fromisoformat(start) if start else None,
            end=row.get("end_day"),
            end_time=time.fromisoformat(end) if end else None,
        ),
        quantity=row.get("quantity", 1),
        gross=Decimal(row.get("gross", "0")),
        personal=Decimal(row["personal"]) if "personal" in row else None,
        hospital_class=row.get("class", ""),
        place=row.get("place", ""),
        performer_code=row.get("performer", ""),
    )


def make_note(lines: tuple[NoteLine, ...], on: date, **fields: Any) -> FeeNote:
    """Return a note of a synthetic patient of these lines."""
    total = sum((line.gross for line in lines if line.gross.is_finite()), Decimal(0))
    parts = {
        "patient": Patient(matricule="1980050512345", family="Muster", given="Anna"),
        "settlement": Settlement(subtotal=total, due=total),
    }
    return FeeNote(
        id=UUID("00000000-0000-4000-8000-000000000001"),
        issued_on=on,
        biller=Biller(provider_code=PROVIDER, family="Beispiel", address=ADDRESS),
        insured=Insured(family="Muster", given="Anna", address=ADDRESS),
        lines=lines,
        **parts | fields,
    )


def make_case(row: Mapping[str, Any]) -> Case:
    """Return the case of a table. Without any `gross` it is a simulation, whose lines carry no amounts."""
    on = row["on"]
    lines = tuple(make_line(number, line, on) for number, line in enumerate(row["lines"], 1))
    fields: dict[str, Any] = {"indications": Indications(polytrauma=row.get("polytrauma"))}
    if "accident" in row:
        accident = Accident(number=row["accident"], on=row.get("accident_on"))
        fields["patient"] = Patient(matricule="1980050512345", accident=accident)
    if "currency" in row:
        fields["settlement"] = Settlement(subtotal=Decimal(0), due=Decimal(0), currency=row["currency"])
    return Case(
        note=make_note(lines, on, **fields),
        birth_date=row.get("born", date(1980, 5, 5)),
        deceased_on=row.get("deceased"),
        covers=tuple(Cover(**{"fund": "CNS", **cover}) for cover in row["covers"]) if "covers" in row else (COVER,),
        profession=row.get("profession", "doctor"),
        specialities=tuple(row.get("specialities", ["general_medicine"])),
        past=tuple(PastAct(**{"provider_code": PROVIDER, **past}) for past in row.get("past", ())),
        approvals=tuple(Approval(**approval) for approval in row.get("approvals", ())),
        received_on=row.get("received"),
        has_amounts=any("gross" in line for line in row["lines"]),
    )
