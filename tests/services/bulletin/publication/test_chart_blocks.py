"""Charts with their notes, text alternatives and data tables."""

import msgspec
import pytest

from esante.services.bulletin.model import LANGUAGES, CellFlag
from esante.services.bulletin.publication.chart_blocks import format_difference, line_chart, revisions_table
from esante.services.bulletin.publication.formatter import formatter
from esante.services.bulletin.publication.issue_files import make_document
from esante.services.bulletin.publication.key_messages import key_messages
from tests.support.bulletin_issue import BASE, sample, sample_issue

COUNT = "documents_deposited"


def document_with(totals):
    """Return the sample issue in which some months of a total have another cell: (value, flag) by month."""
    issue = sample_issue(months=12)

    def changed(cell):
        if cell.series_key != (COUNT, "", "") or cell.period not in totals:
            return cell
        value, flag = totals[cell.period]
        return msgspec.structs.replace(cell, value=value, flag=flag)

    *history, vintage = (
        msgspec.structs.replace(one, cells=tuple(map(changed, one.cells))) for one in (*issue.history, issue.vintage)
    )
    return make_document(msgspec.structs.replace(issue, history=tuple(history), vintage=vintage), BASE)


def chart_of(totals, language="en"):
    """Return the chart of the total."""
    document = document_with(totals)
    return line_chart(document, document.indicator(COUNT), formatter(language))


def test_suppressed_value_is_in_no_message_and_no_table():
    document = document_with({"2026-10": (None, CellFlag.SUPPRESSED)})
    assert all(message.cell.indicator != COUNT for message in key_messages(document))
    chart = line_chart(document, document.indicator(COUNT), formatter("en"))
    assert chart.numbers.rows[-1][10] == "*"


def test_gaps_are_named_in_note_and_text_alternative_with_their_reason():
    hidden, missing = (None, CellFlag.SUPPRESSED), (None, CellFlag.MISSING)
    chart = chart_of({"2026-02": hidden, "2026-04": missing, "2026-05": missing, "2026-07": missing})
    for text in (
        "No figure available (…): April 2026 to May 2026, July 2026.",
        "Not shown because it could identify someone (*): February 2026.",
    ):
        assert text in chart.note
        assert text in chart.description
        assert text in chart.svg
    assert "February 2026: Not shown because it could identify someone" in chart.svg


def test_months_before_the_series_begins_are_no_gap():
    chart = chart_of({f"2025-{month}": (None, CellFlag.MISSING) for month in (11, 12)})
    assert "No figure available" not in chart.note
    assert "p-gap" not in chart.svg


@pytest.mark.parametrize("language", LANGUAGES)
def test_broken_scale_is_explained_in_note_and_text_alternative(language):
    chart = chart_of({"2025-11": (9_000_000, CellFlag.PLAIN)}, language)
    fmt = formatter(language)
    assert "p-zigzag" in chart.svg
    for part in (fmt.within(fmt.month("2025-11"), fmt.number(9_000_000)), fmt.number(9_100_000)):
        assert part in chart.svg
    assert chart.note in chart.description
    assert fmt.number(9_000_000) in chart.note


def test_scale_without_extreme_value_is_not_broken():
    assert "p-zigzag" not in chart_of({}).svg


def test_category_without_a_cell_is_drawn_as_zero():
    issue = sample_issue(months=3)
    key = (COUNT, "origin", "patient")
    vintage = msgspec.structs.replace(
        issue.vintage, cells=tuple(cell for cell in issue.vintage.cells if cell.series_key != key)
    )
    document = make_document(msgspec.structs.replace(issue, vintage=vintage), BASE)
    chart = line_chart(document, document.indicator(COUNT), formatter("en"), "origin", "patient")
    assert "October 2026: 0" in chart.svg
    assert "p-gap" not in chart.svg


@pytest.mark.parametrize(
    ("language", "now", "before", "text"),
    [
        ("en", 61.0, 60.0, "+1.0 percentage point"),
        ("en", 61.5, 60.0, "+1.5 percentage points"),
        ("fr", 61.5, 60.0, "+1,5 point de pourcentage"),
        ("de", 60.0, 61.5, "−1,5 Prozentpunkte"),
        ("lb", 60.0, 61.0, "−1,0 Prozentpunkt"),
    ],
)
def test_change_of_a_share_is_in_percentage_points(language, now, before, text):
    kind = sample().indicator("records_with_document_share").kind
    assert format_difference(kind, now, before, formatter(language)) == text
    assert format_difference(kind, None, before, formatter(language)) == "–"


def test_revision_is_shown_with_both_values_and_reason():
    document = sample()
    (row,) = revisions_table(document, document.issue.revisions, formatter("en")).rows
    (revision,) = document.issue.revisions
    before, after = (formatter("en").number(cell.value) for cell in (revision.before, revision.after))
    assert row == ["Documents deposited", "September 2026", before, after, "Events arrived late"]
