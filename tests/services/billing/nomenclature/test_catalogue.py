"""The nomenclature: tariffs on a day, search, the agency's own files."""

from datetime import date
from decimal import Decimal

import pytest

from esante.services.billing.nomenclature import NoTariff, nomenclature, use_folder
from esante.services.billing.nomenclature.catalogue import round_to
from esante.services.billing.nomenclature.data_files import data_text
from esante.services.billing.nomenclature.terms import PACKAGE, load_surcharges, load_tariff
from tests.services.billing.nomenclature.test_loader import table

ON = date(2023, 12, 28)


@pytest.fixture
def own_files(tmp_path):
    """A folder whose files are used in place of the packaged ones."""
    yield tmp_path
    use_folder("")


@pytest.mark.parametrize(
    ("code", "on", "tariff"),
    [
        ("C1", date(2021, 1, 1), "51.00"),
        ("C1", date(2021, 9, 30), "51.00"),
        ("C1", date(2021, 10, 1), "52.30"),
        ("C1", date(2023, 8, 31), "56.30"),
        ("C1", date(2023, 9, 1), "57.70"),
        ("C1", date(2023, 12, 28), "57.70"),
        ("C1", date(2025, 4, 30), "57.70"),
        ("C1", date(2025, 5, 1), "59.10"),
        ("C1", date(2026, 6, 1), "60.60"),
        ("C14", date(2025, 5, 1), "65.60"),
        ("C14", date(2026, 6, 1), "67.20"),
        ("DC1", date(2023, 9, 1), "39.40"),
        ("CP1", date(2023, 9, 1), "0.00"),
    ],
)
def test_old_tariffs_stay_to_the_cent(code, on, tariff):
    acts = nomenclature()
    price = acts.price(acts.act(code, on), on)
    assert (price.unit, price.total) == (Decimal(tariff), Decimal(tariff))


def test_price_of_several_acts_is_that_of_one_times_their_number():
    acts = nomenclature()
    price = acts.price(acts.act("C1", ON), ON, 3)
    assert (price.unit, price.total) == (Decimal("57.70"), Decimal("173.10"))
    assert (price.coefficient, price.key_value, price.index) == (
        Decimal("11.95"),
        Decimal("0.51109"),
        Decimal("944.43"),
    )


@pytest.mark.parametrize(
    ("amount", "rounded"), [("57.649", "57.60"), ("57.65", "57.70"), ("57.68130307965", "57.70"), ("0.05", "0.10")]
)
def test_tariff_is_rounded_half_up_to_a_multiple_of_the_step(amount, rounded):
    assert round_to(Decimal(amount), Decimal("0.10")) == Decimal(rounded)


def test_act_is_found_within_its_period_only():
    acts = nomenclature()
    days = (date(2025, 12, 31), date(2026, 1, 1), date(2026, 12, 31), date(2027, 1, 1))
    assert [acts.act("PAP11", day) is not None for day in days] == [False, True, True, False]
    assert acts.act("ZZ9", ON) is None


def test_there_is_no_tariff_before_the_first_index():
    acts = nomenclature()
    with pytest.raises(NoTariff):
        acts.price(acts.act("C1", ON), date(2019, 12, 31))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("c1", ["C1", "C14", "C17", "DC1"]),
        ("C14", ["C14"]),
        ("gynecologie", ["C14"]),
        ("GYNÄKOLOGEN", ["C14"]),
        ("knee ray", ["9R02"]),
        ("rontgenaufnahme", ["9R01", "9R02"]),
        ("spidolsvisite", []),
        ("", []),
        ("   ", []),
    ],
)
def test_search_finds_codes_and_words_of_all_languages(text, found):
    assert [act.code for act in nomenclature().search(text, ON)][: len(found) or None] == found


def test_search_keeps_to_its_limit_and_to_the_day():
    acts = nomenclature()
    assert [act.code for act in acts.search("consultation", ON, 2)] == ["C1", "C14"]
    assert acts.search("c1", ON, 0) == []
    assert [act.code for act in acts.search("pap11", ON)] == []


def test_sample_says_that_it_is_one():
    assert nomenclature().is_sample
    assert not any(act.verified for act in nomenclature().acts(ON))


def test_own_acts_take_the_place_of_the_sample(own_files):
    (own_files / "acts.csv").write_text(table({"coefficient": "10"}))
    use_folder(own_files)
    acts = nomenclature()
    assert [act.code for act in acts.acts(ON)] == ["X1"]
    assert not acts.is_sample
    assert acts.digest != ""


def test_nothing_of_a_file_with_a_refused_row_is_used(own_files):
    (own_files / "acts.csv").write_text(table({}, {"code": "X2", "chapter": "?"}))
    use_folder(own_files)
    with pytest.raises(ValueError, match=r"acts.csv: 1 rows are refused; line 3: unknown chapter"):
        nomenclature()


def test_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is no folder"):
        use_folder(tmp_path / "absent")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('value = "0.51109"', 'value = "-1"', "key_letter: -1 is negative"),
        ('value = "834.76"', 'value = "much"', "index: 'much' is no number"),
        ("2021-10-01", "2020-01-01", "index: there is none, or two begin on one day"),
        ("[[rounding]]", "[[other]]", "and should have key_letter, index, rounding"),
        ("valid_from = 2021-10-01", "", "index: 'valid_from'"),
        ("[[index]]", "[[index", "tariff.toml"),
    ],
)
def test_wrong_tariff_is_refused_with_its_place(own_files, old, new, says):
    (own_files / "tariff.toml").write_text(data_text(PACKAGE, "tariff.toml").replace(old, new, 1), encoding="utf-8")
    use_folder(own_files)
    with pytest.raises(ValueError, match=says):
        load_tariff()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('letter = "R"', 'letter = "RR"', "RR: a letter, a label and one of"),
        ('letter = "R"', 'letter = "B"', "a letter is there twice"),
        ('when = "night"', 'when = "noon"', "N: a letter, a label and one of"),
        ('hours = "20:00-07:00"', 'hours = "night"', "N: 'night' are no hours"),
        ('addition = "0.50"', 'addition = "-0.50"', "B: -0.50 is negative"),
    ],
)
def test_wrong_letters_are_refused_with_their_place(own_files, old, new, says):
    text = data_text(PACKAGE, "surcharges.toml").replace(old, new, 1)
    (own_files / "surcharges.toml").write_text(text, encoding="utf-8")
    use_folder(own_files)
    with pytest.raises(ValueError, match=says):
        load_surcharges()
