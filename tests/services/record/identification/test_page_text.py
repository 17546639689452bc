"""Signs of another person in the text of a page."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.services.record.identification.model import Trait
from esante.services.record.identification.page_text import MAX_TEXT, compare_page
from tests.support.identification import OTHERS, OWN, anna, families, givens, traits_of

IDENTIFIER, NAME, BIRTH_DATE, _ = Trait
SPACED = f"{OTHERS[:4]} {OTHERS[4:6]} {OTHERS[6:8]} {OTHERS[8:11]} {OTHERS[11:]}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Radiographie du genou, 3.4.2024. Pas de fracture.",
        "Madame Anna Weber, née le 17 mai 1980",
        "Mme WEBER-KLEIN Anna née Klein le 17/05/1980",
        "Patient: Weber, Anna\nDate de naissance : 17.05.80",
        "Nom: Weber\nPrénom: Anna\nDDN: 17-05-1980",
        "Patientin: Frau Dr. Anna Weber, geb. Klein, geb. am 17. Mai 1980",
        "Weber Anna *17.05.1980",
        "Patient name: Anna Weber, date of birth 1980-05-17",
        "Anna Weber, born on May 17th, 1980",
        "Dem Weber Anna säi Bilan, gebuer den 17. Mee 1980",
        "Anna Weber, nascida a 17 de maio de 1980",
        "DOB 05/17/1980 Weber, Anna",  # the month first
        f"{OWN}, und die Mutter {OTHERS}",
        f"Matricule {OWN[:4]} {OWN[4:8]} {OWN[8:]}",
        "Tél. 2024 0517 12345, IBAN LU28 0019 4006 4475 0000",
        "Le patient ne prend plus de sel depuis le 3.4.2024",
        "Dr Marc Muller, Luxembourg, le 3.4.2024",
        "Patient: voir ci-dessous",
        "Lieu de naissance: Esch, consultation du 3.4.2024",
        "Geburtsdatum: unbekannt",
    ],
)
def test_page_of_the_person_or_of_nobody_says_nothing(text):
    assert compare_page(anna(), text).differences == ()


@pytest.mark.parametrize(
    ("text", "differences"),
    [
        ("Monsieur Jean Dupont, né le 3.4.1961", [NAME, BIRTH_DATE]),
        ("Patient: Jean Dupont", [NAME]),
        ("Patient : DUPONT Jean (1961)", [NAME]),
        ("Nom: Weber\nPrénom: Eva", [NAME]),
        ("Patientin: Eva Weber\nGeb. 17.05.1980", [NAME]),  # the twin sister
        ("Madame Eva Weber, née le 17 mai 1980", [NAME]),
        ("Anna Weber, née le 18 mai 1980", [BIRTH_DATE]),
        ("Anna Weber\nDate de naissance:\n18/05/1980", [BIRTH_DATE]),
        ("Anna Weber, geboren 17.5.1981", [BIRTH_DATE]),
        ("Anna Weber, Geburtsdatum 17. März 1980", [BIRTH_DATE]),
        ("Anna Weber, DOB: 1980-05-18", [BIRTH_DATE]),
        ("Anna Weber, gebuer den 3. Abrëll 1961", [BIRTH_DATE]),
        ("Anna Weber, data de nascimento: 3 de abril de 1961", [BIRTH_DATE]),
        ("Anna Weber né(e) le 03/04/61", [BIRTH_DATE]),
        (f"Anna Weber, matricule {OTHERS}", [IDENTIFIER]),
        (f"Anna Weber, matricule {SPACED}", [IDENTIFIER]),
        (f"Dupont, matricule {OTHERS}", [IDENTIFIER, NAME]),
    ],
)
def test_sign_of_another_person_is_found(text, differences):
    assert traits_of(compare_page(anna(), text)) == differences


def test_what_was_found_is_quoted():
    comparison = compare_page(anna(), "Patient: Jean Dupont\nNé le 3. 4. 1961")
    assert [difference.found for difference in comparison.differences] == ["Jean Dupont", "3. 4. 1961"]


def test_valid_matricule_of_another_is_severe_and_a_doubtful_number_is_none():
    assert compare_page(anna(), f"Anna Weber {OTHERS}").severe
    broken = OTHERS[:12] + str((int(OTHERS[12]) + 1) % 10)
    assert compare_page(anna(), f"Anna Weber {broken}").differences == ()


BIRTH_WORDS = (
    "né le",
    "Née le",
    "date de naissance:",
    "geb.",
    "geboren am",
    "Geburtsdatum:",
    "born",
    "date of birth:",
)
FORMATS = ("%d.%m.%Y", "%d/%m/%Y", "%Y-%m-%d", "%d-%m-%Y", "%-d.%-m.%Y", "%d.%m.%y")


@given(families, givens, st.sampled_from(BIRTH_WORDS), st.sampled_from(FORMATS), st.dates(date(1940, 1, 1)))
def test_own_name_and_birth_date_in_any_form_say_nothing(family, given_name, words, form, day):
    person = anna(family=family, given=(given_name,), birth_date=day)
    for name in (f"{given_name} {family}", f"{family.upper()} {given_name}"):
        assert compare_page(person, f"Patient: {name}, {words} {day.strftime(form)}").differences == ()


@given(st.sampled_from(BIRTH_WORDS), st.sampled_from(FORMATS[:5]), st.dates(date(1940, 1, 1), date(1979, 12, 31)))
def test_other_birth_date_in_any_form_is_found(words, form, day):
    text = f"Anna Weber, {words} {day.strftime(form)}"
    assert traits_of(compare_page(anna(), text)) == [BIRTH_DATE]


@given(st.text(max_size=300))
def test_any_text_is_compared(text):
    assert compare_page(anna(), text).confirmed is False
    assert compare_page(None, text).confirmed is False


def test_only_the_beginning_of_a_long_page_is_looked_at():
    assert compare_page(anna(), " " * MAX_TEXT + "Patient: Jean Dupont").differences == ()


def test_page_is_compared_with_an_unknown_person_as_with_one_who_differs():
    for text in (
        "Patient: Jean Dupont",
        "né le 3.4.1961",
        OTHERS,
        "Radiographie",
        f"Jean Dupont, né le 3.4.1961 {OWN}",
    ):
        identifiers = (("", OWN),)
        assert traits_of(compare_page(None, text, identifiers)) == traits_of(compare_page(anna(), text))
