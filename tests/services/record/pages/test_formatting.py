"""Formatting of values, dates and ranges for readers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from esante.core.fhir import DocumentView
from esante.core.fhir.view import Detail, Other, ResourceTable, When
from esante.services.record.pages import formatting
from esante.services.record.pages.content_view import ImageSources


def test_value_in_middle_of_range_is_in_middle_of_bar():
    assert formatting.range_bar("5", "g/L", "4 g/L", "6 g/L") == formatting.RangeBar(25, 50, 50)


@pytest.mark.parametrize(
    ("value", "unit", "low", "high"),
    [
        ("high", "g/L", "4 g/L", "6 g/L"),
        ("5", "g/L", "", ""),
        ("5", "mg/dL", "4 g/L", "6 g/L"),
        ("5", "", "6", "4"),
        ("5", "", "0", ""),
    ],
)
def test_misleading_range_has_no_bar(value, unit, low, high):
    assert formatting.range_bar(value, unit, low, high) is None


@given(st.floats(-1e9, 1e9), st.floats(-1e6, 1e6), st.floats(0.001, 1e6))
def test_mark_is_on_bar_and_on_correct_side_of_range(value, low, width):
    high = low + width
    bar = formatting.range_bar(f"{value:.6f}", "", f"{low:.6f}", f"{high:.6f}")
    assert bar is None or 0 <= bar.mark <= 100
    if bar and value > high + 0.2 * width:
        assert bar.mark > bar.start + bar.width
    if bar and value < low - 0.2 * width:
        assert bar.mark < bar.start


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026", "2026"),
        ("2026-03", "March 2026"),
        ("2026-03-09", "9 March 2026"),
        ("2026-03-09T10:00:00Z", "9 March 2026, 11:00"),
        ("last <b>winter</b>", "last <b>winter</b>"),
        ("2026-13", "2026-13"),
    ],
)
def test_dates_of_any_precision_are_formatted(text, shown):
    assert formatting.format_day(text, "en") == shown


def test_common_unit_appears_once():
    assert formatting.range_text("70 mg/dL", "100 mg/dL") == "70 – 100 mg/dL"
    assert formatting.range_text("70 mg/dL", "1 g/L") == "70 mg/dL – 1 g/L"
    assert formatting.range_text("", "30 mg/g") == "≤ 30 mg/g"
    assert formatting.range_text("", "") == ""


def test_range_is_in_format_of_language():
    assert formatting.range_text("0.7 m[IU]/L", "1.2 m[IU]/L", "de") == "0,7 – 1,2 mIU/l"
    assert formatting.range_text("", "0.5 mg/dL", "fr") == "≤ 0,5 mg/dl"
    assert formatting.range_text("0.7 g", "1 kg", "lb") == "0,7 g – 1 kg"


@pytest.mark.parametrize(
    ("unit", "german", "english"),
    [
        ("10*3/uL", "10³/µl", "10³/µL"),
        ("10*-3", "10⁻³", "10⁻³"),
        ("x10E9/l", "10⁹/l", "10⁹/l"),
        ("m[IU]/L", "mIU/l", "mIU/L"),
        ("[iU]", "IU", "IU"),
        ("mm[Hg]", "mmHg", "mmHg"),
        ("ug/dL", "µg/dl", "µg/dL"),
        ("kg/m2", "kg/m²", "kg/m²"),
        ("mL/min/{1.73_m2}", "ml/min/1,73\u00a0m²", "mL/min/1.73\u00a0m²"),
        ("{copies}/mL", "copies/ml", "copies/mL"),
        ("Cel", "°C", "°C"),
        ("{score}", "", ""),
        ("1", "", ""),
        ("GPL", "GPL", "GPL"),
        ("cup", "cup", "cup"),
        ("alcoholic drinks per day", "alcoholic drinks per day", "alcoholic drinks per day"),
    ],
)
def test_unit_is_written_as_people_write_it(unit, german, english):
    assert (formatting.format_unit(unit, "de"), formatting.format_unit(unit, "en")) == (german, english)


@pytest.mark.parametrize(
    ("text", "french", "english"),
    [
        ("0.79", "0,79", "0.79"),
        ("<5.0", "< 5,0", "< 5.0"),
        (">=12", "≥ 12", "≥ 12"),
        ("-1.5", "−1,5", "−1.5"),
        ("1.2.3", "1.2.3", "1.2.3"),
        ("Positive at 1.5", "Positive at 1.5", "Positive at 1.5"),
        ("", "", ""),
    ],
)
def test_number_has_decimal_sign_of_language(text, french, english):
    assert (formatting.format_number(text, "fr"), formatting.format_number(text, "en")) == (french, english)


@given(st.text(max_size=30))
def test_any_unit_and_number_is_formatted(text):
    for language in ("fr", "en"):
        formatting.format_unit(text, language)
        formatting.format_amount(text, language)


def test_details_have_words_or_are_counted():
    details = [
        Detail("effectiveDateTime", "2024-05-31", when=When(start="2024-05-31")),
        Detail("resultsInterpreter", "Dr Roe"),
        Detail("intent", "plan", is_primitive=True),
        Detail("intent", "order", is_primitive=True),
        Detail("performer", "actor: Dr Roe", parts=(Detail("actor", "Dr Roe"),)),
        Detail("intent", "filler-order", is_primitive=True),
        Detail("dispenseRequest", "quantity: 24", parts=(Detail("quantity", "24", number="24"), Detail("own", "a"))),
        Detail("instantiatesUri", "urn:x"),
        Detail("own", "a", parts=(Detail("name", "b"),)),
    ]
    named = formatting.named_details(details)
    assert [one.label for one in named] == [
        "Date",
        "Assessed by",
        "Kind of request",
        "Performed by",
        "To be dispensed",
    ]
    assert (named[2].code, named[3].detail.text, named[3].parts) == ("plan", "Dr Roe", ())
    assert [one.label for one in named[4].parts] == ["Quantity"]
    view = DocumentView(further=(ResourceTable("others", (Other(name="a", details=tuple(details)),)),))
    assert formatting.unnamed_count(view) == 4


def test_marker_of_narrative_is_filled_and_escaped():
    notes = {"lang": "fr", "link": "<lien>"}
    body = Markup('<p>a<span data-cda="note-link"></span><span data-cda="media-2"></span></p>')
    filled = formatting.fill_markers(body, ImageSources("/record/1"), notes, "Image")
    assert filled == (
        '<p>a<span class="soft small" lang="fr"> &lt;lien&gt; </span>'
        '<a class="enlarge" lang="fr" href="/record/1/media/2" hx-boost="false">'
        '<img src="/record/1/media/2" alt="Image"></a></p>'
    )


def test_long_blank_unit_takes_linear_time():
    blanks = " " * 1_000_000
    assert formatting.range_text(f"1 a{blanks}b", f"2 a{blanks}b") == f"1 – 2 a{blanks}b"
    assert formatting.range_bar("1", "mg", f"{blanks}< 0 mg", f"< {blanks}4{blanks}mg") is not None
