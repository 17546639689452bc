"""Fee notes for tests: one to change, and a strategy of every note that the national XML can hold."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import strategies as st
from lxml import etree

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

TEST_MATRICULE = "1900123456712"
"""A test number of the CNS, whose check digits are wrong."""
PDF = b"%PDF-1.7 synthetic"
SIGNATURE = (
    b'<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo></ds:SignedInfo></ds:Signature>'
)
_ADDRESS = PostalAddress(street="Rue du Test", number="7", postal_code="L-1234", city="Luxembourg", country="LU")


def a_line(number: int = 1, code: str = "C1", gross: str = "57.70", **changes) -> NoteLine:
    """Return a line of a note."""
    line = NoteLine(
        number=number,
        act=Act(code=code, label="Consultation"),
        period=Period(start=changes.pop("on", date(2026, 11, 20))),
        gross=Decimal(gross),
    )
    return replace(line, **changes)


def a_note(*lines: NoteLine, matricule: str = TEST_MATRICULE, code: str = "90000001", **changes) -> FeeNote:
    """Return a paid note of 20 November 2026; its sums are those of its lines."""
    kept = lines or (a_line(),)
    total = sum((line.gross for line in kept), Decimal(0))
    note = FeeNote(
        id=uuid4(),
        issued_on=date(2026, 11, 20),
        biller=Biller(provider_code=code, family="Muller", given="Marc", title="Dr", address=_ADDRESS),
        patient=Patient(matricule=matricule, family="Weber", given="Anna", fund="CNS"),
        insured=Insured(family="Weber", given="Anna", address=_ADDRESS),
        lines=kept,
        settlement=Settlement(subtotal=total, due=total, settled=True, settled_on=date(2026, 11, 20)),
    )
    return replace(note, **changes)


def schema(shared_data: Path, message: str) -> etree.XMLSchema:
    """Return a published schema of RA; the test is skipped where it is absent."""
    path = shared_data / "ra" / f"2022_CNS_MEMHON_{message}.xsd"
    if not path.is_file():
        pytest.skip(f"no published schema: {path} is absent")
    return etree.XMLSchema(etree.parse(path))


# Every note that there can be ---------------------------------------------------------------------------

_PRINTED = st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_categories=("Cc", "Cs", "Zs", "Cf"))


def _text(longest: int, shortest: int = 0) -> st.SearchStrategy[str]:
    return st.text(_PRINTED, min_size=shortest, max_size=longest)


def _optional(longest: int, shortest: int = 1) -> st.SearchStrategy[str]:
    return st.just("") | _text(longest, shortest)


_DAYS = st.dates(date(1990, 1, 1), date(2030, 12, 31))
_TIMES = st.none() | st.times().map(lambda moment: moment.replace(microsecond=0))
_AMOUNTS = st.decimals(Decimal("0.00"), Decimal("99999.99"), places=2)
_CODES = st.integers(10_000_000, 99_999_999).map(str)
_NO_CODES = st.just("") | _CODES
_ADDRESSES = st.builds(
    PostalAddress,
    street=_text(80),
    number=_optional(20),
    postal_code=_optional(15),
    city=_optional(80),
    country=st.sampled_from(["", "LU", "FR"]),
    extensions=st.tuples(_optional(100), _optional(100)),
)
_PERIODS = st.builds(Period, start=_DAYS, start_time=_TIMES, end=st.none() | _DAYS, end_time=_TIMES)
_MARKS = st.lists(_text(1, 1), max_size=3).map(tuple)


def lines(*, with_ids: bool) -> st.SearchStrategy[NoteLine]:
    """Return a strategy of lines; the national XML has no place for their UUIDs."""
    return st.builds(
        NoteLine,
        number=st.integers(0, 999_999),
        act=st.builds(Act, code=_text(6, 1), prefixes=_MARKS, suffixes=_MARKS, label=_optional(35)),
        period=_PERIODS,
        quantity=st.integers(1, 99),
        gross=_AMOUNTS,
        personal=st.none() | _AMOUNTS,
        id=st.none() | st.uuids() if with_ids else st.none(),
        hospital_class=st.sampled_from(["", "A", "1", "2"]),
        place=_optional(2, 2),
        performer_code=_NO_CODES,
        tooth=_optional(3),
        prescriber_code=_NO_CODES,
        order_number=_optional(36, 36),
        session_type=_optional(20),
        session_number=_optional(2),
        operator_code=_NO_CODES,
    )


_ACCIDENTS = st.none() | st.builds(
    Accident, number=st.from_regex(r"[UL][0-9]{9}", fullmatch=True), on=st.none() | _DAYS
)
_PERSON = {"fund": st.sampled_from(["", "CNS", "CMFEP", "CMFEC", "EMCFL", "Autre"]), "accident": _ACCIDENTS}
_PATIENTS = st.builds(
    Patient,
    matricule=st.from_regex(r"[1-9][0-9]{12}", fullmatch=True),
    family=_optional(150),
    given=_optional(100),
    **_PERSON,
) | st.builds(Patient, birth_date=_DAYS, family=_optional(150), given=_optional(100), **_PERSON)
_SETTLEMENTS = st.builds(
    Settlement,
    subtotal=_AMOUNTS,
    carried_over=st.none() | _AMOUNTS,
    deposit=st.none() | _AMOUNTS,
    due=_AMOUNTS,
    currency=st.just("EUR"),
    settled=st.booleans(),
    settled_on=st.none() | _DAYS,
)
_FLAGS = st.none() | st.booleans()
_INDICATIONS = st.builds(
    Indications,
    polytrauma=_FLAGS,
    temporary_prosthesis=_FLAGS,
    new_pregnancy=_FLAGS,
    operator_code=_NO_CODES,
)


def notes(*, with_ids: bool = False) -> st.SearchStrategy[FeeNote]:
    """Return a strategy of notes, each field of which is there or not."""
    return st.builds(
        FeeNote,
        id=st.uuids(),
        issued_on=_DAYS,
        biller=st.builds(
            Biller,
            provider_code=_CODES,
            family=_text(150),
            given=_optional(100),
            title=_optional(50),
            address=_ADDRESSES,
            phone=_optional(24),
            fax=_optional(24),
            email=_optional(100),
        ),
        patient=_PATIENTS,
        insured=st.builds(Insured, family=_optional(150), given=_optional(100), address=_ADDRESSES),
        lines=st.lists(lines(with_ids=with_ids), min_size=1, max_size=3).map(tuple),
        settlement=_SETTLEMENTS,
        number=_optional(100),
        hospital_code=_NO_CODES,
        association_code=_NO_CODES,
        hospital_name=_optional(130),
        admission_number=_optional(25),
        complementary_fund=_optional(25),
        transfer_text=_optional(200),
        medical_text=_optional(200),
        indications=_INDICATIONS,
        pages=st.none() | st.integers(0, 999),
        signature=st.sampled_from([b"", SIGNATURE]),
        document=st.sampled_from([b"", PDF]),
    )
