"""The code on a pack, as text: GS1 element strings of a DataMatrix, scanned or typed.

A GS1 DataMatrix has the symbology identifier ]d2. Its variable-length elements end with the separator FNC1, which a
reader sends as the character GS (GS1 General Specifications, sections 5.1.3 and 7.8). Many keyboard scanners leave it
out; then a text is taken only where it can be read in one way.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from biip import ParseError
from biip.gs1_messages import GS1Message

from esante.core.web import N_, Problem, bad_request

GS1_DATAMATRIX = "]d2"
"""The symbology identifier of a GS1 DataMatrix (ISO/IEC 15424)."""
MAX_CODE = 300
"""Characters of a code; a GS1 DataMatrix of a pack has fewer than 100."""
_SEPARATOR = "\x1d"
_SEPARATORS = ("\u241d", "<GS>", "{GS}", "[GS]", "<FNC1>", "\\x1d", "^]")
"""What stands for the separator where a control character cannot."""
_SYMBOLOGY = re.compile(r"\][A-Za-z][0-9A-Za-z]")
_NATIONAL = ("710", "711", "712", "713", "714", "715", "716", "717")
"""National healthcare reimbursement numbers (NHRN): Germany, France, Spain, Brazil, Portugal, USA, Italy, Croatia."""
_FIXED = {"01": 14, "11": 6, "17": 6}
_VARIABLE = ("10", "21", *_NATIONAL)
_WHOLE = {"01", "10", "17", "21"}
"""What the code of a pack with a safety feature holds (Delegated Regulation (EU) 2016/161, article 4)."""
_LONGEST = 20
"""Characters of a lot, serial or national number at most."""

_TYPE_IT = N_("Type the GTIN, the lot and the expiry date that are printed on the pack.")
_NOT_GS1 = N_("This is not the code of a medicine pack.")
_SCAN_SQUARE = N_("Scan the square code beside PC, SN, LOT and EXP.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PackCode:
    """What the code on a pack says; "" or None where it does not say it.

    `gtin` has 14 digits; `national` is a national number (NHRN); `expires_on` is the last day of use.
    """

    gtin: str
    expires_on: date | None = None
    produced_on: date | None = None
    lot: str = ""
    serial: str = ""
    national: str = ""


def parse_pack_code(text: str) -> PackCode:
    """Return what a code says that was scanned, or typed as it is printed, with or without brackets.

    Raises: `Problem` 422 for a code of another kind, for one that can be read in two ways, and for one that is wrong.
    """
    text = _normalize(text)
    prefix = _SYMBOLOGY.match(text)
    if prefix:
        if prefix[0] != GS1_DATAMATRIX:
            raise _refused(_NOT_GS1, _SCAN_SQUARE)
        text = text[len(GS1_DATAMATRIX) :]
    elif text.startswith("[)>"):
        raise _refused(N_("This code has a format without a GTIN, which is used in Germany (PPN)."), _TYPE_IT)
    if text.startswith("("):
        return _of_elements(_bracketed(text))
    text = text.strip(_SEPARATOR)
    if prefix or _SEPARATOR in text:
        return _of_elements(_separated(text))
    return _of_elements(_unseparated(text))


def _normalize(text: str) -> str:
    text = text.strip(" \t\r\n")
    if len(text) > MAX_CODE:
        raise _refused(_NOT_GS1, _SCAN_SQUARE)
    for one in _SEPARATORS:
        text = text.replace(one, _SEPARATOR)
    return text


def _separated(text: str) -> GS1Message:
    try:
        return GS1Message.parse(text)
    except ParseError as error:
        raise _unreadable() from error


def _bracketed(text: str) -> GS1Message:
    try:
        return GS1Message.parse_hri(text.replace(" ", ""))
    except ParseError as error:
        raise _unreadable() from error


def _unseparated(text: str) -> GS1Message:
    """Return the one reading of a text without separators: the only one, or the only one that is a whole code."""
    if not text.startswith("01"):
        raise _refused(_NOT_GS1, _SCAN_SQUARE)
    readings = [message for reading in _readings(text, frozenset()) if (message := _message(reading))]
    whole = [one for one in readings if {element.ai.ai for element in one.element_strings} >= _WHOLE]
    if not readings:
        raise _unreadable()
    if len(readings) > 1 and len(whole) != 1:
        raise _refused(
            N_("This code can be read in two ways, because the scanner leaves out the separator (FNC1)."),
            N_("Use the camera, set the scanner to send the separator, or type what is printed with brackets."),
        )
    return whole[0] if whole else readings[0]


def _readings(text: str, seen: frozenset[str]) -> Iterator[list[tuple[str, str]]]:
    """Yield every way to read a text as elements that each occur once (one national number), without separators."""
    if not text:
        yield []
        return
    for ai in (*_FIXED, *_VARIABLE):
        if not text.startswith(ai) or ai in seen:
            continue
        rest = text[len(ai) :]
        ends = [_FIXED[ai]] if ai in _FIXED else range(1, min(_LONGEST, len(rest)) + 1)
        for end in ends:
            if len(rest) >= end and (ai not in _FIXED or rest[:end].isdigit()):
                now_seen = seen | (set(_NATIONAL) if ai in _NATIONAL else {ai})
                yield from ([(ai, rest[:end]), *more] for more in _readings(rest[end:], now_seen))


def _message(reading: Sequence[tuple[str, str]]) -> GS1Message | None:
    """Return a reading as elements; None where one of them is not valid."""
    try:
        return GS1Message.parse(_SEPARATOR.join(f"{ai}{value}" for ai, value in reading))
    except ParseError:
        return None


def _of_elements(message: GS1Message) -> PackCode:
    found = {one.ai.ai: one for one in message.element_strings}
    if len(found) < len(message.element_strings):
        raise _unreadable()
    if "01" not in found:
        raise _refused(N_("The code does not name the product (GTIN)."), _TYPE_IT)
    if found["01"].gtin is None:
        raise _refused(N_("The product number (GTIN) is wrong: its check digit does not fit."), _TYPE_IT)
    values = {ai: one.value for ai, one in found.items()}
    return PackCode(
        gtin=values["01"],
        expires_on=found["17"].date if "17" in found else None,
        produced_on=found["11"].date if "11" in found else None,
        lot=values.get("10", ""),
        serial=values.get("21", ""),
        national=next((values[ai] for ai in _NATIONAL if ai in values), ""),
    )


def _unreadable() -> Problem:
    return _refused(
        N_("The code cannot be read: a number or a date in it is wrong, or something is missing."), _TYPE_IT
    )


def _refused(title: str, remedy: str) -> Problem:
    return bad_request("code", title, remedy, status=422, code="value")
