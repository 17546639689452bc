"""The values of elements of the national messages: each with how it is read from text, and written."""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import Any
from uuid import UUID

CENT = Decimal("0.01")
_ZONE = r"(?:Z|[+-][0-9]{2}:[0-9]{2})?"
_DATE = re.compile(rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}){_ZONE}")
_TIME = re.compile(rf"([0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}})(\.[0-9]{{1,6}})?0*{_ZONE}")
_AMOUNT = re.compile(r"[+-]?[0-9]{1,9}(\.[0-9]{1,2}0*)?")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Value:
    """A kind of value: `read` makes it of a text and raises ValueError, `form` says what is expected.

    `empty`: the value of an absent element. `tolerate` reads what software in use writes against the schema.
    """

    form: str
    read: Callable[[str], Any]
    write: Callable[[Any], str] = str
    empty: Any = None
    tolerate: Callable[[str], Any] | None = None


def text(longest: int, shortest: int = 0) -> Value:
    """Return the kind of texts of so many characters."""

    def read(found: str) -> str:
        if not shortest <= len(found) <= longest:
            raise ValueError
        return found

    return Value(f"{shortest} to {longest} characters", read, read, "")


def pattern(expression: str, form: str) -> Value:
    """Return the kind of texts that match a regular expression; white space around them does not count."""
    compiled = re.compile(expression)

    def read(found: str) -> str:
        if not compiled.fullmatch(found.strip()):
            raise ValueError
        return found.strip()

    return Value(form, read, read, "")


def integer(smallest: int, largest: int) -> Value:
    """Return the kind of whole numbers in a range."""

    def read(found: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]{1,9}", found.strip()):
            raise ValueError
        if not smallest <= int(found) <= largest:
            raise ValueError
        return int(found)

    return Value(f"a whole number from {smallest} to {largest}", read, lambda value: str(read(str(value))))


def padded_text(least: int, longest: int) -> Value:
    """Return the kind of texts that the schema wants to be long: blanks at the end fill them up, and do not count.

    A shorter one is tolerated.
    """

    def tolerate(found: str) -> str:
        if len(found) > longest:
            raise ValueError
        return found.rstrip(" ")

    def read(found: str) -> str:
        if len(found) < least:
            raise ValueError
        return tolerate(found)

    return Value(f"{least} to {longest} characters", read, lambda value: tolerate(value).ljust(least), "", tolerate)


def _date(found: str) -> date:
    match = _DATE.fullmatch(found.strip())
    if match is None:
        raise ValueError
    return date.fromisoformat(match[1])


def _time(found: str) -> time:
    match = _TIME.fullmatch(found.strip())
    if match is None:
        raise ValueError
    return time.fromisoformat(match[1] + (match[2] or "").ljust(7, "0") if match[2] else match[1])


def _amount(found: str) -> Decimal:
    if not _AMOUNT.fullmatch(found.strip()):
        raise ValueError
    return Decimal(found.strip()).quantize(CENT)


def _write_amount(value: Decimal) -> str:
    return str(_amount(f"{value:f}"))


def _boolean(found: str) -> bool:
    if found.strip() not in _BOOLEANS:
        raise ValueError
    return _BOOLEANS[found.strip()]


def _uuid(found: str) -> UUID:
    if len(found) != 36:
        raise ValueError
    return UUID(found)


def _pdf(found: str) -> bytes:
    try:
        content = b64decode("".join(found.split()), validate=True)
    except Base64Error as error:
        raise ValueError from error
    if not content.startswith(b"%PDF-"):
        raise ValueError
    return content


DATE = Value("YYYY-MM-DD", _date, date.isoformat)
TIME = Value("hh:mm:ss", _time, time.isoformat)
AMOUNT = Value("an amount with at most two decimals", _amount, _write_amount)
BOOLEAN = Value("true or false", _boolean, lambda value: "true" if value else "false")
ID = Value("a UUID of 36 characters", _uuid)
PROVIDER = pattern("[1-9][0-9]{7}", "8 digits, of which the first is not 0")
MATRICULE = pattern("[1-9][0-9]{12}", "13 digits, of which the first is not 0")
PDF = Value("a PDF in base64", _pdf, lambda value: b64encode(value).decode(), b"")
