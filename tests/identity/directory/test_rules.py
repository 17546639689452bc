"""Check digits against oracles, formats of identifiers, normalisation of names."""

from datetime import date
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.check_digits import luhn_digit, verhoeff_digit
from esante.identity.directory import (
    Identifier,
    Person,
    PersonQuery,
    catalogue,
    matricule,
    matricule_faults,
    normalize_name,
    rules,
)
from tests.support.check_digits import luhn_holds, verhoeff_holds

DIGITS = st.text("0123456789", min_size=1, max_size=20)
MATRICULE = catalogue().system("matricule").uri


def test_published_matricule_has_no_faults():
    assert matricule_faults("1893120105732") == ()
    assert matricule(date(1893, 12, 1), 57) == "1893120105732"


@given(st.dates(date(1890, 1, 1), date(2099, 12, 31)), st.integers(0, 999))
def test_generated_matricule_has_no_faults_and_begins_with_date(birth_date, serial):
    number = matricule(birth_date, serial)
    assert number[:11] == f"{birth_date:%Y%m%d}{serial:03}"
    assert len(number) == 13
    assert luhn_holds(number[:12])
    assert verhoeff_holds(number[:11] + number[12])
    assert matricule_faults(number) == ()


@given(st.dates(date(1890, 1, 1), date(2099, 12, 31)), st.integers(0, 999), st.data())
def test_wrong_digit_in_matricule_is_a_fault(birth_date, serial, data):
    number = matricule(birth_date, serial)
    place = data.draw(st.integers(0, 12))
    other = data.draw(st.sampled_from([d for d in "0123456789" if d != number[place]]))
    assert matricule_faults(number[:place] + other + number[place + 1 :]) != ()


@pytest.mark.parametrize("serial", [-1, 1000])
def test_serial_number_outside_three_digits_is_refused(serial):
    with pytest.raises(ValueError, match="three digits"):
        matricule(date(2000, 1, 1), serial)


def codes(faults):
    return [fault.code for fault in faults]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("", ["form"]),
        ("189312010573", ["form"]),
        ("18931201057320", ["form"]),
        ("189312010573A", ["form"]),
        ("١٨٩٣١٢٠١٠٥٧٣٢", ["form"]),
        ("1893120105742", ["luhn"]),
        ("1893120105733", ["verhoeff"]),
        ("1893120105743", ["luhn", "verhoeff"]),
    ],
)
def test_matricule_faults(value, found):
    assert codes(matricule_faults(value)) == found


def test_cns_test_number_has_only_soft_faults():
    faults = matricule_faults("1900123456712")
    assert codes(faults) == ["date", "luhn", "verhoeff"]
    assert not any(fault.hard for fault in faults)


def with_check_digits(eleven):
    return eleven + luhn_digit(eleven) + verhoeff_digit(eleven)


@pytest.mark.parametrize(
    ("eleven", "found"),
    [
        ("19991301123", ["date"]),
        ("19990230123", ["date"]),
        ("20000229123", []),
        ("19000229123", ["date"]),
        ("19990000123", []),
        ("19991200123", []),
        ("00001201123", ["date"]),
    ],
)
def test_date_of_matricule_must_exist_or_be_unknown(eleven, found):
    assert codes(matricule_faults(with_check_digits(eleven))) == found


def test_old_matricule_accepts_digit_of_each_series():
    # 1*5 + 9*4 + 5*3 + 1*6 + 1*4 + 1*2 = 68 = 6 * 11 + 2: 11 - 2 = 9; 12 - 2 = 10 is not given; 13 - 2 = 11 is 0
    assert rules.old_check_digits("1950010101") == {"9", "0"}
    # the last term 2*2: 70 = 6 * 11 + 4, so 11 - 4, 12 - 4 and 13 - 4
    assert rules.old_check_digits("1950010102") == {"7", "8", "9"}
    assert codes(matricule_faults("19500101027")) == []
    assert codes(matricule_faults("19500101021")) == ["mod11"]
    assert codes(matricule_faults("19501301021"))[0] == "date"


@pytest.mark.parametrize(
    ("system", "value", "stored"),
    [
        ("matricule", " 1893 1201 057 32 ", "1893120105732"),
        ("provider_code", "912345-67", "91234567"),
        ("ehealth_id", "12 34 56 78 90", "1234567890"),
    ],
)
def test_canonical_identifier_has_no_blanks_and_separators(system, value, stored):
    lists = catalogue()
    identifier = rules.canonicalize_identifier(Identifier(lists.system(system).uri, value), lists.systems)
    assert identifier.value == stored
    assert rules.identifier_faults(identifier, lists.systems) == ()


@pytest.mark.parametrize(
    ("system", "value", "found"),
    [
        (catalogue().system("ehealth_id").uri, "123456789", ["form"]),
        (catalogue().system("ehealth_id").uri, "1234567890\n", ["unprintable"]),
        (catalogue().system("provider_code").uri, "912345678", ["form"]),
        (MATRICULE, "1893120105733", ["verhoeff"]),
        ("urn:oid:2.16.840.1.113883.2.9.4.3.2", "NCPNPH80A01H501K", []),
        ("http://hospital.example/mrn", "A/1-2", []),
        ("mrn", "1", ["system"]),
        ("http://hospital.example/mrn", "", ["empty"]),
        ("http://hospital.example/mrn", "x" * 201, ["long"]),
        ("http://hospital.example/mrn", "a\0b", ["unprintable"]),
    ],
)
def test_identifier_faults(system, value, found):
    assert codes(rules.identifier_faults(Identifier(system, value), catalogue().systems)) == found


@pytest.mark.parametrize(
    ("written", "compared"),
    [
        ("Müller-Weiß", "muller weiss"),
        ("  D'Onofrio ", "d onofrio"),
        ("ÉLOÏSE", "eloise"),
        ("Lê Thị", "le thi"),
        ("ﬁn", "fin"),
        ("Ørsted", "ørsted"),
        ("100%_\\'; --", "100"),
        ("王小明", "王小明"),
        ("<b>", "b"),
        ("", ""),
    ],
)
def test_normalized_name(written, compared):
    assert normalize_name(written) == compared


@given(st.text())
def test_normalization_is_idempotent_and_leaves_words_only(text):
    once = normalize_name(text)
    assert normalize_name(once) == once
    assert all(char.isalnum() or char == " " for char in once)


@given(st.text(st.characters(max_codepoint=0xFF)))
def test_normalization_ignores_case(text):
    assert normalize_name(text.upper()) == normalize_name(text.lower()) == normalize_name(text)


PERSON = Person(
    id=UUID(int=5),
    identifiers=(Identifier(MATRICULE, "1893120105732"), Identifier("urn:x:mrn", "7")),
    family="Müller",
    given=("Anne", "Marie"),
    birth_date=date(1893, 12, 1),
    sex="female",
)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (PersonQuery(), True),
        (PersonQuery(family="MULLER", birth_date=date(1893, 12, 1)), True),
        (PersonQuery(family="Mull", birth_date=date(1893, 12, 1)), False),
        (PersonQuery(family="Müller", birth_date=date(1893, 12, 2)), False),
        (PersonQuery(given="anne"), True),
        (PersonQuery(given="Anne-Marie"), True),
        (PersonQuery(given="Marie"), False),
        (PersonQuery(given="Ann"), False),
        (PersonQuery(value="7"), True),
        (PersonQuery(system="urn:x:mrn", value="7"), True),
        (PersonQuery(system=MATRICULE, value="7"), False),
        (PersonQuery(system="", value="7"), False),
        (PersonQuery(value="7", sex="male"), False),
    ],
)
def test_query_matches_exactly(query, expected):
    assert rules.matches(PERSON, query) is expected
