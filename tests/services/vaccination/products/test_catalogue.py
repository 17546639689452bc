"""The catalogue: every row is whole, and says where it comes from."""

from datetime import date

import pytest
from biip.gtin import Gtin

from esante.services.vaccination.card.checks import contraindication_kinds
from esante.services.vaccination.card.model import ROUTES
from esante.services.vaccination.products import catalogue as module
from esante.services.vaccination.products.catalogue import catalogue, normal_lot


def test_every_product_is_whole_and_none_is_called_verified_without_a_source():
    for product in catalogue().products.values():
        assert product.cvx and product.atc.startswith("J0") and product.antigens and product.route in ROUTES
        assert product.legal_source and not product.verified


def test_invented_packs_and_recalls_are_of_demonstrations_only():
    assert catalogue().by_gtin and catalogue().recalls
    real = module._load(False)
    assert not real.by_gtin and not real.recalls and real.products


def test_sample_packs_have_demonstration_numbers_with_right_check_digits():
    for gtin in catalogue().by_gtin:
        assert Gtin.parse(gtin).prefix.value == "952"


def test_contraindications_exclude_known_diseases():
    for kind in contraindication_kinds().values():
        assert set(kind.antigens) <= set(catalogue().antigens) and kind.legal_source


def test_lots_are_compared_without_blanks_and_case():
    assert normal_lot("ab-12 C") == normal_lot("AB12c")


@pytest.mark.parametrize(
    ("cvx", "atc", "expected"),
    [
        ("03", "", ("measles", "mumps", "rubella")),
        ("", "J07BN01", ("covid19",)),
        ("", "J07CA02", ("diphtheria", "tetanus", "pertussis", "polio")),
        ("999", "", ()),
        ("", "", ()),
    ],
)
def test_code_of_a_vaccine_gives_what_all_its_products_protect_against(cvx, atc, expected):
    assert catalogue().of_vaccine(cvx, atc) == expected


def test_recall_holds_from_its_day():
    assert catalogue().is_recalled("boostrix_polio", "RECALL01", date(2026, 6, 1))
    assert not catalogue().is_recalled("boostrix", "RECALL01", date(2026, 6, 1))


def test_product_with_an_unknown_disease_is_refused(monkeypatch):
    texts = {"products.csv": module._text("products.csv").replace("rabies,no", "plague,no")}
    monkeypatch.setattr(module, "_text", lambda name: texts.get(name) or module.packaged_text(module._PACKAGE, name))
    with pytest.raises(ValueError, match="plague"):
        module._load.__wrapped__(True)
