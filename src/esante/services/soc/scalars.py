"""Single values of events and rules: as text, as times."""

import math
from datetime import UTC, date, datetime
from typing import Any


def plain_text(value: Any) -> str:
    """Return a scalar as the text with which rules compare it: true, false, whole numbers without a fraction."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return value.isoformat() if isinstance(value, date) else str(value)


def scalar_texts(value: Any) -> list[str]:
    """Return the texts of a value: none of null, each of a list."""
    if value is None or type(value) is dict:
        return []
    if type(value) is list:
        return [text for one in value for text in scalar_texts(one)]
    return [plain_text(value)]


def number_of(text: str) -> float | None:
    """Return the number that a text is; None when it is none, or not finite."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def moment_of(value: Any) -> datetime | None:
    """Return a time as events have it: ISO 8601 (UTC where it says nothing else), seconds or milliseconds of Unix."""
    text = plain_text(value)
    if text[4:5] != "-" and (number := number_of(text)) is not None:  # a date is no number
        try:
            return datetime.fromtimestamp(number / 1000 if abs(number) > 1e11 else number, UTC)
        except (ValueError, OverflowError, OSError):
            return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
