"""The form of the hours in which a source is expected to send: spans such as 08:00-12:00 for each day of the week."""

import re
from collections.abc import Sequence

from starlette.datastructures import FormData

from esante.core.web import N_, bad_request
from esante.services.soc.pages.page_words import text_of
from esante.services.soc.silence.rules import Hours

DAY = 24 * 60
DAY_NAMES = (
    N_("Monday"),
    N_("Tuesday"),
    N_("Wednesday"),
    N_("Thursday"),
    N_("Friday"),
    N_("Saturday"),
    N_("Sunday"),
)
"""The days of the week in words (msgids)."""
LONGEST = 100
"""Characters of the spans of a day."""
_SPAN = re.compile(r"([0-9]{1,2}):([0-9]{2})\s*[-–]\s*([0-9]{1,2}):([0-9]{2})")


def read_hours(form: FormData) -> list[Hours]:
    """Return the hours of a form, in the order of the week; spans that overlap or touch are one.

    Raises: Problem 400 for a text that is no list of spans of a day.
    """
    spans = sorted(span for day in range(7) for span in _spans(text_of(form, f"day{day}"), day))
    found: list[Hours] = []
    for one in spans:
        if found and one.begins <= found[-1].ends:
            found[-1] = Hours(found[-1].begins, max(found[-1].ends, one.ends))
        else:
            found.append(one)
    return found


def shown_hours(hours: Sequence[Hours]) -> list[str]:
    """Return what the form shows of hours, a text for each day, "" for a day without any."""
    shown: list[list[str]] = [[] for _ in range(7)]
    for one in sorted(hours):
        for day in range(one.begins // DAY, (one.ends - 1) // DAY + 1):
            begin, end = max(one.begins, day * DAY), min(one.ends, (day + 1) * DAY)
            shown[day].append(f"{_clock(begin - day * DAY)}-{_clock(end - day * DAY)}")
    return [", ".join(spans) for spans in shown]


def _spans(text: str, day: int) -> list[Hours]:
    """Return the spans of a day. Raises: Problem 400."""
    found = []
    for part in filter(None, (one.strip() for one in text[: LONGEST + 1].split(","))):
        match = _SPAN.fullmatch(part)
        begin, end = (_minute(*match.group(1, 2)), _minute(*match.group(3, 4))) if match else (0, 0)
        if not 0 <= begin < end <= DAY or len(text) > LONGEST:
            remedy = N_("Write times such as 08:00-12:00, 13:30-18:00. The day ends at 24:00.")
            raise bad_request(f"day{day}", N_("These are no hours of a day."), remedy, code="value")
        found.append(Hours(day * DAY + begin, day * DAY + end))
    return found


def _minute(hour: str, minute: str) -> int:
    """Return the minute of the day, -1 for a time that is none."""
    return int(hour) * 60 + int(minute) if int(minute) < 60 else -1


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
