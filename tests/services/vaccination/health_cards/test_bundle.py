"""What can be on a card, and what stands there of it."""

from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest

from esante.identity.directory import Person
from esante.services.vaccination.card.model import DoseStatus
from esante.services.vaccination.health_cards.bundle import MAX_PERFORMER, is_provable, minimal_bundle
from tests.services.vaccination.card.test_matching import dose

PROVABLE = dose(cvx=("115",), atc="J07AM51", lot="AB12", performer="Dr Faber")
PERSON = Person(
    id=UUID(int=9),
    identifiers=(),
    family="Weber",
    given=("Anna", "Maria"),
    birth_date=date(1980, 5, 17),
    sex="female",
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"cvx": ()}, True),
        ({"occurred": "2015"}, True),
        ({"cvx": (), "atc": ""}, False),
        ({"occurred": ""}, False),
        ({"status": DoseStatus.NOT_GIVEN}, False),
        ({"status": DoseStatus.ENTERED_IN_ERROR}, False),
        ({"author": replace(PROVABLE.author, kind="patient")}, False),
    ],
)
def test_dose_can_be_proved_when_it_was_given_confirmed_dated_and_coded(changes, expected):
    assert is_provable(replace(PROVABLE, **changes)) is expected


def test_oldest_dose_comes_first_with_a_short_performer_and_an_atc_code_where_no_other_is_known():
    later = replace(PROVABLE, occurred="2024-01-01", cvx=(), performer="x" * 90, lot="")
    entries = [one["resource"] for one in minimal_bundle(PERSON, [later, PROVABLE])["entry"]]
    assert entries[0]["name"] == [{"family": "Weber", "given": ["Anna", "Maria"]}]
    assert [one["occurrenceDateTime"] for one in entries[1:]] == ["2020-05-05", "2024-01-01"]
    codings = [one["vaccineCode"]["coding"] for one in entries[1:]]
    assert codings == [
        [{"system": "http://hl7.org/fhir/sid/cvx", "code": "115"}],
        [{"system": "http://www.whocc.no/atc", "code": "J07AM51"}],
    ]
    assert len(entries[2]["performer"][0]["actor"]["display"]) == MAX_PERFORMER and "lotNumber" not in entries[2]
