"""Names as people and systems write them."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.services.record.identification.model import PersonName
from esante.services.record.identification.names import is_same_name
from tests.support.identification import families, givens

names = st.builds(
    lambda family, given: PersonName(family=family, given=tuple(given)), families, st.lists(givens, max_size=3)
)
any_names = st.builds(
    lambda family, given: PersonName(family=family, given=tuple(given)),
    st.text(max_size=20),
    st.lists(st.text(max_size=10), max_size=3),
)


def written(change, name: PersonName) -> PersonName:
    """Return a name with each part written in another way."""
    return PersonName(family=change(name.family), given=tuple(map(change, name.given)))


def without_accents(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))


def transliterated(text: str) -> str:
    for letter, plain in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss"), ("ø", "oe")):
        text = text.replace(letter, plain)
    return text


WAYS = {
    "capital letters": str.upper,
    "small letters": str.lower,
    "no accents": without_accents,
    "decomposed accents": lambda text: unicodedata.normalize("NFD", text),
    "transliterated": transliterated,
    "without accents, then in capital letters": lambda text: without_accents(text).upper(),
    "blanks for hyphens": lambda text: text.replace("-", " "),
    "hyphens for blanks": lambda text: text.replace(" ", "-"),
    "in one word": lambda text: text.replace(" ", "").replace("-", ""),
    "no apostrophe": lambda text: text.replace("'", ""),
    "typographic apostrophe": lambda text: text.replace("'", "’"),
    "more blanks": lambda text: f"  {text}  ",
}


@pytest.mark.parametrize("way", WAYS)
@given(name=names)
def test_way_of_writing_makes_no_difference(way, name):
    assert is_same_name(name, written(WAYS[way], name)) is True


@given(name=names)
def test_order_of_parts_makes_no_difference(name):
    if name.given:
        swapped = PersonName(family=" ".join(name.given), given=(name.family,))
        assert is_same_name(name, swapped) is True
        assert is_same_name(name, PersonName(text=f"{name.family.upper()} {' '.join(name.given)}")) is True
        assert is_same_name(name, PersonName(text=f"{' '.join(name.given)} {name.family}")) is True


@given(name=names, second=families)
def test_second_family_name_makes_no_difference(name, second):
    for family in (f"{name.family}-{second}", f"{second} {name.family}", f"{name.family} née {second}"):
        assert is_same_name(name, PersonName(family=family, given=name.given)) is True


@given(name=names)
def test_initial_of_first_given_name_makes_no_difference(name):
    if name.given:
        initial = PersonName(family=name.family, given=(f"{name.given[0][0]}.",))
        assert is_same_name(name, initial) is True


@given(name=names)
def test_fewer_given_names_make_no_difference(name):
    if name.given:
        assert is_same_name(name, PersonName(family=name.family, given=name.given[:1])) is True
        assert is_same_name(name, PersonName(family=name.family)) is True


@given(one=any_names, other=any_names)
def test_comparison_is_symmetric(one, other):
    assert is_same_name(one, other) is is_same_name(other, one)


@given(name=any_names)
def test_name_is_never_another_than_itself(name):
    assert is_same_name(name, name) is not False


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Weber", "Anna"), ("Weber", "Eva")),
        (("Weber", "Anna", "Maria"), ("Weber", "Eva", "Maria")),  # a twin with the same middle name
        (("Weber", "Paul"), ("Weber", "Paula")),
        (("Weber", "Paul"), ("Weber", "Petra")),
        (("Weber", "Anna"), ("Wagener", "Anna")),
        (("Weber", "Joseph"), ("Weber", "Jos")),  # a nickname is asked about
        (("De la Cruz", "Ana"), ("De la Torre", "Ana")),
        (("van den Berg", "Jan"), ("van den Broek", "Jan")),
        (("da Silva", "Ana"), ("da Costa", "Ana")),
        (("Weber", "Anna"), ("Weber", "B.")),
        (("Weber", "Anna"), ("", "Eva")),
    ],
)
def test_other_name_differs(one, other):
    names = [PersonName(family=family, given=tuple(given)) for family, *given in (one, other)]
    assert is_same_name(*names) is False
    assert is_same_name(*reversed(names)) is False


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Weber", "Anna"), ("Klein ép. Weber", "Anna")),
        (("Weber", "Anna", "Maria"), ("Weber", "Maria")),
        (("Weber", "Jean-Pierre"), ("Weber", "J.-P.")),
        (("Weber", "Jean-Pierre"), ("Weber", "Pierre")),
        (("da Silva Santos", "Ana"), ("Santos", "Ana")),
        (("Mueller", "Anna"), ("Muller", "Anna")),
        (("Le", "Minh"), ("LE", "Minh")),
        (("Aagaard", "Søren"), ("Ågård", "Soeren")),
    ],
)
def test_same_name_written_differently_is_the_same(one, other):
    names = [PersonName(family=family, given=tuple(given)) for family, *given in (one, other)]
    assert is_same_name(*names) is True
    assert is_same_name(*reversed(names)) is True


@pytest.mark.parametrize(
    "other",
    [
        PersonName(),
        PersonName(family="Παπαδόπουλος", given=("Άννα",)),
        PersonName(family="Вебер", given=("Анна",)),
        PersonName(text="王"),
    ],
)
def test_missing_name_and_other_script_are_not_compared(other):
    assert is_same_name(PersonName(family="Weber", given=("Anna",)), other) is None


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Mme WEBER Anna", True),
        ("Anna Maria Weber-Klein", True),
        ("Dr. A. Weber", True),
        ("Weber", True),
        ("Eva Maria Weber", False),
        ("Anna Wagener", False),
        ("", None),
    ],
)
def test_name_as_text_is_compared(text, same):
    assert is_same_name(PersonName(family="Weber", given=("Anna", "Maria")), PersonName(text=text)) is same
