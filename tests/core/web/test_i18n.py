"""Texts, plurals and dates of the languages."""

from datetime import UTC, date, datetime, timedelta

import pytest

from esante.core.web import LANGUAGES, P_, show_date, show_datetime, show_span, translator
from esante.core.web.i18n import Translator, show_clock, show_limit, show_weekday

CATALOG = {"Yes": "Oui", "one": ("une", "plusieurs"), "empty": ("", "")}


@pytest.mark.parametrize(
    ("language", "number", "text"),
    [("fr", 0, "une"), ("fr", 1, "une"), ("fr", 2, "plusieurs"), ("de", 0, "plusieurs"), ("de", 1, "une")],
)
def test_plural_follows_the_rule_of_the_language(language, number, text):
    assert Translator(language, CATALOG).ngettext("one", "many", number) == text


def test_text_without_translation_is_unchanged():
    texts = Translator("fr", CATALOG)
    assert (texts.gettext("Yes"), texts.gettext("No"), texts.gettext("one")) == ("Oui", "No", "une")
    assert (texts.ngettext("empty", "many", 1), texts.ngettext("absent", "many", 2)) == ("empty", "many")


def test_text_in_a_context_has_its_own_translation():
    texts = Translator("fr", {"Order": "Demande", P_("list", "Order"): "Ordre"})
    assert (texts.gettext("Order"), texts.pgettext("list", "Order")) == ("Demande", "Ordre")
    assert texts.gettext(P_("list", "Order")) == "Ordre"
    assert texts.pgettext("sentence", "Order") == "Order"


def test_catalogues_keep_contexts_apart():
    assert translator("fr").pgettext("female", "born %(day)s").startswith("née")
    assert translator("fr").pgettext("male", "born %(day)s").startswith("né le")
    assert "né" not in translator("fr").gettext("born %(day)s").replace("naissance", "")


def test_unknown_language_has_no_translations():
    assert translator("xx").gettext("Yes") == "Yes"


@pytest.mark.parametrize(
    ("language", "shown"),
    [("fr", "1 mars 2026"), ("de", "1. März 2026"), ("en", "1 March 2026"), ("lb", "1. Mäerz 2026")],
)
def test_day_in_the_form_of_the_language(language, shown):
    assert language in LANGUAGES
    assert show_date(date(2026, 3, 1), language) == shown
    assert show_date(datetime(2026, 2, 28, 23, 30, tzinfo=UTC), language) == shown


def test_moment_is_shown_in_the_time_of_luxembourg():
    assert show_datetime(datetime(2026, 7, 1, 22, 5, tzinfo=UTC), "en") == "2 July 2026, 00:05"


def test_duration_is_rounded_to_its_largest_unit():
    assert show_span(timedelta(minutes=100), "en") == "2 hours"
    assert show_span(timedelta(days=3, hours=2), "en") == "3 days"


@pytest.mark.parametrize(
    ("limit", "shown"),
    [
        (timedelta(hours=8), "8 hours"),
        (timedelta(days=1), "1 day"),
        (timedelta(days=30), "30 days"),
        (timedelta(days=365), "1 year"),
        (timedelta(days=3652), "10 years"),
        (timedelta(days=400), "400 days"),
    ],
)
def test_limit_is_shown_exactly(limit, shown):
    assert show_limit(limit, "en") == shown


def test_weekday_and_clock_are_those_of_luxembourg():
    moment = datetime(2026, 7, 4, 22, 5, tzinfo=UTC)
    assert (show_weekday(moment, "de"), show_clock(moment)) == ("Sonntag", "00:05")
