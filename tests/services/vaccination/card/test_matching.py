"""Which records are of one dose: a partition of the records that no order of them changes."""

from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from esante.services.vaccination.card import matching
from esante.services.vaccination.card.matching import is_same_dose, match_doses
from esante.services.vaccination.card.model import Author, Dose, DoseStatus

AT = datetime(2026, 1, 1, tzinfo=UTC)


def dose(number=1, source=1, **fields) -> Dose:
    """A dose recorded by the organisation with the number of its source."""
    base = {
        "person_id": UUID(int=9),
        "id": UUID(int=number),
        "version": "1",
        "status": DoseStatus.GIVEN,
        "name": "Vaccine",
        "product": "",
        "cvx": (),
        "atc": "",
        "manufacturer": "",
        "antigens": ("tetanus",),
        "occurred": "2020-05-05",
        "dose_number": "",
        "lot": "",
        "expires_on": None,
        "serial": "",
        "gtin": "",
        "site": "",
        "route": "",
        "performer": "",
        "place": "",
        "given_here": True,
        "origin": "",
        "reason": "",
        "note": "",
        "overrides": (),
        "identifiers": frozenset(),
        "recorded_at": AT,
        "source_id": UUID(int=100 + source),
        "from_document": False,
        "author": Author(kind="organization", id=UUID(int=200 + source), name="Org", organization_id=UUID(int=source)),
    }
    return Dose(**base | fields)


DOSES = st.lists(
    st.builds(
        dose,
        source=st.integers(1, 4),
        occurred=st.sampled_from(["2020-05-05", "2020-05-06", "2020-05", "2020", "2021-01-01", ""]),
        antigens=st.sampled_from([("tetanus",), ("tetanus", "polio"), ("measles",), ()]),
        lot=st.sampled_from(["", "AB-1", "ab1", "X2"]),
        from_document=st.booleans(),
        given_here=st.booleans(),
        identifiers=st.sampled_from([frozenset(), frozenset({("s", "1")}), frozenset({("s", "2")})]),
    ),
    max_size=8,
).map(lambda doses: [replace(one, id=UUID(int=number)) for number, one in enumerate(doses, 1)])


def groups(doses):
    return {frozenset(one.id for one in matched.all) for matched in match_doses(doses)}


@given(DOSES, st.randoms())
def test_every_record_is_of_one_dose_in_whatever_order_they_come(doses, random):
    found = match_doses(doses)
    assert sorted(one.id.int for matched in found for one in matched.all) == [one.id.int for one in doses]
    shuffled = list(doses)
    random.shuffle(shuffled)
    assert match_doses(shuffled) == found


@given(DOSES)
def test_result_is_that_of_comparing_every_record_with_every_dose(doses):
    groups = []
    for one in sorted(doses, key=matching._reliability):
        fitting = [group for group in groups if all(is_same_dose(one, other) for other in group)]
        if fitting:
            max(fitting, key=lambda group: matching._likeness(one, group[0])).append(one)
        else:
            groups.append([one])
    assert {tuple(group) for group in groups} == {matched.all for matched in match_doses(doses)}


@given(DOSES)
def test_records_of_one_dose_are_each_the_same(doses):
    for matched in match_doses(doses):
        for one in matched.all:
            assert all(is_same_dose(one, other) and is_same_dose(other, one) for other in matched.all if one != other)


@given(st.dictionaries(st.dates(date(2000, 1, 1), date(2026, 1, 1)), st.integers(0, 3), max_size=6), st.randoms())
def test_copies_by_others_and_in_documents_add_no_dose(copies, random):
    doses = []
    for day, count in copies.items():
        for copy in range(count + 1):
            fields = {"occurred": day.isoformat(), "lot": random.choice(["", "AB-1"]), "from_document": bool(copy % 2)}
            doses.append(dose(len(doses) + 1, 1 + copy, **fields))
    assert [matched.shown.day for matched in match_doses(doses)] == sorted(copies, reverse=True)


@given(DOSES)
def test_lots_that_differ_stay_two_doses(doses):
    for matched in match_doses(doses):
        lots = {one.lot.replace("-", "").upper() for one in matched.all if one.lot and not one.identifiers}
        assert len(lots) <= 1


def test_document_and_card_of_one_party_are_one_dose():
    assert is_same_dose(dose(1), dose(2, source_id=UUID(int=5), from_document=True))


def test_two_injections_that_one_party_recorded_stay_two():
    assert len(match_doses([dose(1), dose(2, source_id=UUID(int=7))])) == 2


def test_shared_identifier_is_one_dose_whatever_else_differs():
    known = frozenset({("urn:ietf:rfc:3986", "urn:uuid:1")})
    assert is_same_dose(dose(1, 1, identifiers=known, lot="A"), dose(2, 2, identifiers=known, lot="B"))


def test_month_fits_a_day_in_it():
    assert is_same_dose(dose(1, 1, occurred="2020-05"), dose(2, 2, occurred="2020-05-31"))
    assert not is_same_dose(dose(1, 1, occurred="2020-06"), dose(2, 2, occurred="2020-05-31"))


def test_refusal_is_no_dose():
    assert not is_same_dose(dose(1, 1), dose(2, 2, status=DoseStatus.NOT_GIVEN))


def test_dose_given_stands_before_a_copy_and_a_patients_word():
    word = dose(1, 1, given_here=False, author=Author(kind="patient", id=UUID(int=1), name="P"))
    copy, own = dose(2, 2, given_here=False), dose(3, 3)
    (matched,) = match_doses([word, copy, own])
    assert [one.id.int for one in matched.all] == [3, 2, 1]


def test_day_is_none_for_a_date_that_is_not_whole():
    assert (dose(occurred="2020").day, dose(occurred="2020-05-05").day) == (None, date(2020, 5, 5))
