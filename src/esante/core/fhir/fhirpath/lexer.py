"""Lexical analysis of FHIRPath expressions (FHIRPath N1, appendix B)."""

import re
from decimal import Decimal
from typing import Literal, NamedTuple

from esante.core.fhir.fhirpath.model import PathError
from esante.core.fhir.fhirpath.values.temporal import Temporal, parse

#: Characters of an expression.
MAX_LENGTH = 20_000

Kind = Literal["number", "text", "date", "name", "quoted", "variable", "special", "symbol", "end"]

_TOKEN = re.compile(
    r"""
      (?P<space>\s+|//[^\n\r]*|/\*.*?\*/)
    | (?P<number>\d+(?:\.\d+)?)
    | (?P<text>'(?:[^'\\]|\\.)*')
    | (?P<date>@(?:T\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?
                 |\d{4}(?:-\d\d(?:-\d\d)?)?(?:T(?:\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?(?:Z|[+-]\d\d:\d\d)?)?)?))
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<quoted>`(?:[^`\\]|\\.)*`)
    | (?P<variable>%(?:[A-Za-z_][A-Za-z0-9_]*|`(?:[^`\\]|\\.)*`|'(?:[^'\\]|\\.)*'))
    | (?P<special>\$(?:this|index|total)\b)
    | (?P<symbol><=|>=|!=|!~|/(?!\*)|[.,()\[\]{}+\-*&|<>=~])
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES = {"'": "'", '"': '"', "`": "`", "\\": "\\", "/": "/", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class Token(NamedTuple):
    """One token: its value (texts unescaped, numbers and dates parsed) and its column, from 1."""

    kind: Kind
    value: "str | int | Decimal | Temporal"
    column: int


def tokenize(text: str) -> list[Token]:
    """Return the tokens of an expression, the last one of kind `end`. Raises: `PathError` with the column."""
    if len(text) > MAX_LENGTH:
        raise PathError(f"The expression has {len(text):,} characters; at most {MAX_LENGTH:,} are allowed.")
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise PathError(_describe_unreadable(text, at), at + 1)
        kind = match.lastgroup
        if kind != "space":
            found.append(_token(kind or "", match[0], at + 1))
        at = match.end()
    return [*found, Token("end", "", len(text) + 1)]


def _describe_unreadable(text: str, at: int) -> str:
    if text[at] == "'":
        return "The text that begins here has no closing quote"
    if text.startswith("/*", at):
        return "The comment that begins here has no end"
    return f"Unexpected character {text[at]!r}"


def _token(kind: str, text: str, column: int) -> Token:
    match kind:
        case "number":
            return Token("number", Decimal(text) if "." in text else int(text), column)
        case "text":
            return Token("text", unescape(text[1:-1], column), column)
        case "date":
            date = parse(text[1:], "Time" if text[1] == "T" else None)
            if date is None:
                raise PathError(f"{text} is not a date or time that exists", column)
            return Token("date", date, column)
        case "quoted":
            return Token("quoted", unescape(text[1:-1], column), column)
        case "variable":
            name = text[1:] if text[1] not in "`'" else unescape(text[2:-1], column)
            return Token("variable", name, column)
        case "special":
            return Token("special", text, column)
        case "name":
            return Token("name", text, column)
        case _:
            return Token("symbol", text, column)


def unescape(text: str, column: int) -> str:
    """Return a quoted text with its escapes replaced; before any other character a backslash is left out.

    Raises: `PathError` for half of a character that takes two escapes.
    """
    if "\\" not in text:
        return text

    def plain(match: re.Match[str]) -> str:
        if match[1][0] == "u" and len(match[1]) == 5:
            return chr(int(match[1][1:], 16))
        return _ESCAPES.get(match[1], match[1])

    found = _ESCAPE.sub(plain, text)
    try:
        return found.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise PathError("The text has half of a character, written as a single \\uD8.. or \\uDC..", column) from None


def quote(text: str, mark: str) -> str:
    """Return the text in quotes, with the escapes it needs."""
    plain = text.replace("\\", "\\\\").replace(mark, f"\\{mark}")
    return mark + plain + mark
