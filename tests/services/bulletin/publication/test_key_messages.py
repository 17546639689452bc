"""Key messages."""

import msgspec
import pytest

from esante.services.bulletin.model import LANGUAGES, Cell
from esante.services.bulletin.publication.formatter import formatter
from esante.services.bulletin.publication.issue_files import make_document
from esante.services.bulletin.publication.key_messages import key_messages
from tests.support.bulletin_issue import BASE, sample, sample_issue


def two_month_issue(before, now, indicator="documents_deposited"):
    """Return an issue with one figure, now and a year before."""
    vintage = sample_issue(months=1).vintage

    def month(period, value):
        cells = (Cell(indicator, period, value=value),)
        return msgspec.structs.replace(vintage, period=period, cells=cells)

    issue = sample_issue(months=1)
    history = (month("2025-10", before),)
    return make_document(msgspec.structs.replace(issue, vintage=month("2026-10", now), history=history), BASE)


def test_message_gives_value_of_its_cell_in_four_languages():
    issue = sample()
    messages = key_messages(issue)
    assert 3 <= len(messages) <= 8
    for message in messages:
        unit = issue.indicator(message.cell.indicator).unit
        assert issue.cell(message.cell.indicator) == message.cell
        for language in LANGUAGES:
            assert formatter(language).value(message.cell, unit) in message.texts[language]


@pytest.mark.parametrize(
    ("before", "now", "comparison"),
    [
        (200, 100, "50.0\u00a0% less than in October 2025"),
        (100, 150, "50.0\u00a0% more than in October 2025"),
        (1_000, 1_004, "about the same as in October 2025"),
        (None, 7, ": 7 in October 2026."),
        (0, 7, ": 7 in October 2026."),
    ],
)
def test_message_compares_with_year_before(before, now, comparison):
    (message,) = key_messages(two_month_issue(before, now))
    assert comparison in message.texts["en"]


def test_message_about_days_gives_both_values():
    (message,) = key_messages(two_month_issue(1, 2, "documents_delay"))
    assert message.texts["en"].endswith(": 2\u00a0days in October 2026, compared with 1\u00a0day in October 2025.")
