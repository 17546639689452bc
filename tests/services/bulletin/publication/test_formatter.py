"""Numbers, units and runs of months in the four languages."""

import pytest

from esante.services.bulletin.publication.declared_indicators import declared_indicators
from esante.services.bulletin.publication.formatter import UNITS, formatter


@pytest.mark.parametrize(
    ("language", "value", "text"),
    [
        ("en", 1, "1 day"),
        ("en", 1.5, "1.5 days"),
        ("en", 0, "0 days"),
        ("fr", 1.5, "1,5 jour"),
        ("fr", 2, "2 jours"),
        ("fr", 0, "0 jour"),
        ("de", 1.5, "1,5 Tage"),
        ("de", 1, "1 Tag"),
        ("lb", 1.5, "1,5 Deeg"),
        ("lb", 1, "1 Dag"),
    ],
)
def test_unit_has_the_plural_of_its_language(language, value, text):
    assert formatter(language).number(value, "days") == text.replace(" ", "\u00a0")


@pytest.mark.parametrize(
    ("language", "value", "unit", "text"),
    [
        ("en", 54.3, "records", "54"),
        ("en", 430.5, "professionals", "431"),
        ("fr", 54_300.4, "documents", "54 300"),
        ("de", 54_300.4, "documents", "54.300"),
        ("lb", 54_300.4, "documents", "54.300"),
        ("en", 183.4, "ms", "183 ms"),
        ("en", 2.34, "days", "2.3 days"),
        ("en", 1.04, "days", "1 day"),
        ("fr", 96.318, "%", "96,32 %"),
    ],
)
def test_computed_number_of_things_is_whole(language, value, unit, text):
    assert formatter(language).rounded(value, unit) == text.replace(" ", "\u00a0")


def test_run_of_months_is_named_by_its_ends():
    assert formatter("fr").months("2026-03", "2026-03") == "mars 2026"
    assert formatter("fr").months("2025-11", "2026-03") == "novembre 2025 à mars 2026"


def test_unit_of_every_declared_indicator_has_a_name():
    assert {one.unit for one in declared_indicators().indicator} <= UNITS.keys()
