"""What the code on a pack says, with and without separators; the real symbols of GS1 and printed ones as oracles."""

import re
from datetime import date

import pytest
import zxingcpp
from biip.checksums import gs1_standard_check_digit
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from esante.core.web import Problem
from esante.services.vaccination.scan.pack_code import PackCode, parse_pack_code

GTIN = "09521234500018"
TEXT = st.text("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789-", min_size=1, max_size=20)
GTINS = st.text("0123456789", min_size=13, max_size=13).map(lambda text: text + str(gs1_standard_check_digit(text)))
DAYS = st.dates(date(2026, 1, 1), date(2050, 12, 31))


def refusal(text: str) -> str:
    with pytest.raises(Problem) as raised:
        parse_pack_code(text)
    assert raised.value.status == 422 and raised.value.remedy
    return raised.value.title


@given(GTINS, TEXT, TEXT, DAYS, st.permutations(["01", "17", "10", "21"]))
def test_code_with_separators_is_read_in_any_order(gtin, lot, serial, expires, order):
    values = {"01": gtin, "17": expires.strftime("%y%m%d"), "10": lot, "21": serial}
    text = "]d2" + "\x1d".join(ai + values[ai] for ai in order)
    expected = PackCode(gtin=gtin, lot=lot, serial=serial, expires_on=expires)
    assert parse_pack_code(text) == expected
    assert parse_pack_code(text.replace("\x1d", "\u241d")) == expected
    assert parse_pack_code(" ".join(f"({ai}){values[ai]}" for ai in order)) == expected


@given(GTINS, TEXT, TEXT, DAYS)
def test_code_without_separators_is_read_rightly_or_refused(gtin, lot, serial, expires):
    try:
        found = parse_pack_code(f"01{gtin}17{expires:%y%m%d}10{lot}21{serial}")
    except Problem as problem:
        assert "two ways" in problem.title
        assert len(re.findall("(?=21|11|17|71[0-7])", f"{lot}21{serial}")) > 1
    else:
        assert (found.lot, found.serial) == (lot, serial)


def test_end_of_a_lot_is_ambiguous_when_two_serials_fit():
    assert "two ways" in refusal(f"01{GTIN}1727020010A21B21C")


def test_only_lot_without_separator_is_unambiguous():
    assert parse_pack_code(f"01{GTIN}1727020010ABC12").lot == "ABC12"


@pytest.mark.parametrize(
    ("text", "day"), [("270200", date(2027, 2, 28)), ("280200", date(2028, 2, 29)), ("271231", date(2027, 12, 31))]
)
def test_expiry_day_zero_is_the_last_day_of_the_month(text, day):
    assert parse_pack_code(f"]d201{GTIN}17{text}").expires_on == day


@pytest.mark.parametrize("prefix", ["]d1", "]C1", "]Q3", "]E0", "]d8"])
def test_other_symbology_is_refused(prefix):
    assert "not the code of a medicine pack" in refusal(f"{prefix}01{GTIN}10ABC")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not the code"),
        ("https://example.org/leaflet", "not the code"),
        ("[)>\x1e06\x1d9N110375286414\x1d1TABC\x1dD270200\x1dS123", "Germany"),
        (f"]d217270200\x1d10{'A' * 5}", "does not name the product"),
        ("]d20109521234500019", "check digit"),
        (f"]d201{GTIN}17271331", "wrong"),
        (f"]d201{GTIN}17270231", "wrong"),
        (f"]d201{GTIN}10{'A' * 21}", "wrong"),
        (f"]d201{GTIN}10A\x1d10B", "wrong"),
        (f"]d201{GTIN}10é", "wrong"),
        (f"01{GTIN}99", "wrong"),
        ("(01)", "wrong"),
        ("9" * 301, "not the code"),
    ],
)
def test_code_that_cannot_be_used_says_why(text, reason):
    assert reason in refusal(text)


@given(st.text(max_size=120))
def test_any_text_gives_a_code_or_a_clear_refusal(text):
    try:
        parse_pack_code(text)
    except Problem as problem:
        assert problem.status == 422 and problem.title and problem.remedy


@given(st.lists(st.sampled_from(["10", "21", "710", "711", "17", "01", "1", "0", "7", "A"]), max_size=60).map("".join))
def test_text_full_of_identifiers_is_answered(text):
    assume(len(text) <= 160)
    try:
        parse_pack_code(f"01{GTIN}{text}")
    except Problem as problem:
        assert problem.status == 422


def test_real_gs1_datamatrix_is_read_and_other_symbols_are_refused(shared_data):
    def read(name):
        (one,) = zxingcpp.read_barcodes(Image.open(shared_data / "gs1" / name), text_mode=zxingcpp.TextMode.Plain)
        return one.symbology_identifier + one.text

    found = parse_pack_code(read("datamatrix-1_gs1-figure-4.15.1-2-32x32.png"))
    assert found == PackCode(
        gtin="09504000059101", serial="12345678p901", lot="1234567p", expires_on=date(2014, 11, 20)
    )
    for name in ("qrcode-2_gs1-figure-4.15.1-2.png", "aztec-1_gs1-figure-4.15.1-2-31x31.png"):
        assert "not the code of a medicine pack" in refusal(read(name))


def test_symbol_made_from_the_specification_is_read():
    symbol = zxingcpp.create_barcode(
        f"(01){GTIN}(17)270200(10)AB-1(21)S1", zxingcpp.BarcodeFormat.DataMatrix, gs1=True
    )
    image = zxingcpp.write_barcode_to_image(symbol, scale=6, add_quiet_zones=True)
    (one,) = zxingcpp.read_barcodes(image, text_mode=zxingcpp.TextMode.Plain)
    assert one.symbology_identifier == "]d2"
    assert parse_pack_code(f"]d2{one.text}") == PackCode(
        gtin=GTIN, lot="AB-1", serial="S1", expires_on=date(2027, 2, 28)
    )
