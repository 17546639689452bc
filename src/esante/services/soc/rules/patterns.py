"""Decisions about one value of a field: the text of a rule as a function, in time linear in the value."""

import ipaddress
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import re2

from esante.services.soc.rules.faults import Refused
from esante.services.soc.rules.model import DASHES, OPERATORS, Cidr, Compare, Regex, Special, Text
from esante.services.soc.scalars import moment_of, number_of

MAX_REGEX_MEMORY = 8 << 20
"""Bytes that a compiled expression and its cache of states may take."""
_SPECIAL = {Special.ANY: ".*", Special.ONE: ".", Special.DASH: f"[{re2.escape(DASHES)}]"}
Predicate = Callable[[str], bool]


def predicate(value: Text | Regex | Cidr | Compare) -> Predicate:
    """Return the function that decides about a value as text.

    Raises: `Refused` for a regular expression that has no linear-time form.
    """
    if isinstance(value, Text):
        return text_predicate(value)
    if isinstance(value, Regex):
        flags = f"(?{value.flags})" if value.flags else ""
        compiled = compile_regex(flags + value.pattern)
        return lambda text: compiled.search(text) is not None
    if isinstance(value, Cidr):
        network = value.network
        return lambda text: (address := _address(text)) is not None and address in network
    compare, number, part = OPERATORS[value.operator], value.number, value.part
    if part:
        return lambda text: (found := _time_part(text, part)) is not None and compare(found, number)
    return lambda text: (found := number_of(text)) is not None and compare(found, number)


def text_predicate(value: Text) -> Predicate:
    """Return the function that compares a whole value; case is folded unless the text is cased."""
    parts = value.parts if value.cased else tuple(folded(part) for part in value.parts)
    if simple := _simple(parts):
        found = simple
    else:
        pattern = "".join(re2.escape(part) if isinstance(part, str) else _SPECIAL[part] for part in parts)
        compiled = compile_regex(f"(?s)\\A(?:{pattern})\\z")
        found = lambda text: compiled.search(text) is not None  # noqa: E731
    return found if value.cased else lambda text: found(text.casefold())


def folded(part: str | Special) -> str | Special:
    """Return a part without regard to case."""
    return part.casefold() if isinstance(part, str) else part


def _simple(parts: tuple[str | Special, ...]) -> Predicate | None:
    match parts:
        case (str() as literal,):
            return lambda text: text == literal
        case (Special.ANY,):
            return lambda text: True
        case (Special.ANY, str() as literal):
            return lambda text: text.endswith(literal)
        case (str() as literal, Special.ANY):
            return lambda text: text.startswith(literal)
        case (Special.ANY, str() as literal, Special.ANY):
            return lambda text: literal in text
    return None


def compile_regex(pattern: str) -> Any:
    """Return a compiled expression of RE2. Raises: `Refused` for what it does not know, such as look-around."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_REGEX_MEMORY
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        detail = error.args[0] if error.args else error
        detail = detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)
        raise Refused(
            f"the regular expression has no linear-time form ({detail[:100]})",
            "write it without look-around, back-references and possessive quantifiers",
        ) from error


@lru_cache(4096)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.strip())
    except ValueError:
        return None


def _time_part(text: str, part: str) -> float | None:
    moment = moment_of(text)
    if moment is None:
        return None
    return float(moment.isocalendar().week if part == "week" else getattr(moment, part))
