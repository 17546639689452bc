"""Syslog messages: RFC 5424, and the older form of RFC 3164 as far as it can be recognised."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

from esante.core import clock
from esante.services.soc.scalars import moment_of

_HEADER = re.compile(r"<(\d{1,3})>1 (\S+) (\S+) (\S+) (\S+) (\S+) ", re.ASCII)
_ELEMENT = re.compile(r'\[([^ =\]"]{1,32})((?: [^ =\]"]{1,32}="(?:[^"\\\]]|\\.)*")*)\]')
_PARAMETER = re.compile(r' ([^ =\]"]{1,32})="((?:[^"\\\]]|\\.)*)"')
_OLD = re.compile(
    r"(?:<(\d{1,3})>)?([A-Z][a-z]{2} [ \d]\d(?: \d{4})? \d\d:\d\d:\d\d) (\S+) ([^\s:\[]{1,48})(?:\[(\w+)\])?: "
)


@dataclass(frozen=True, slots=True)
class SyslogMessage:
    """A message with its header; "" and None where the header says nothing. `severity` from 0 (emergency) to 7."""

    text: str
    severity: int = 6
    time: datetime | None = None
    original_time: str = ""
    host: str = ""
    app: str = ""
    process: str = ""
    message_id: str = ""
    data: dict[str, dict[str, str]] = field(default_factory=dict)


def read_syslog(text: str) -> SyslogMessage | None:
    """Return the parts of a syslog message; None for a text that is none."""
    if found := _HEADER.match(text):
        priority, stamp, host, app, process, message_id = ("" if part == "-" else part for part in found.groups())
        data, rest = _structured(text, found.end())
        return SyslogMessage(
            rest.removeprefix("\ufeff"),
            int(priority) % 8,
            moment_of(stamp),
            stamp,
            host,
            app,
            process,
            message_id,
            data,
        )
    if found := _OLD.match(text):
        priority, stamp, host, app, process = found.groups()
        number = int(priority) if priority else 14
        return SyslogMessage(text[found.end() :], number % 8, _old_time(stamp), stamp, host, app, process or "")
    return None


def _structured(text: str, at: int) -> tuple[dict[str, dict[str, str]], str]:
    """Return the structured data (RFC 5424, 6.3) and the message after it."""
    data: dict[str, dict[str, str]] = {}
    if text.startswith("-", at):
        return data, text[at + 1 :].removeprefix(" ")
    while found := _ELEMENT.match(text, at):
        parameters = _PARAMETER.findall(found[2])
        data[found[1]] = {name: re.sub(r'\\(["\\\]])', r"\1", value) for name, value in parameters}
        at = found.end()
    return data, text[at:].removeprefix(" ")


def _old_time(stamp: str) -> datetime | None:
    """Return a time of RFC 3164, which has no zone and often no year: UTC, and the year in which it is just past."""
    with_year = len(stamp) > len("Jan  1 00:00:00")
    now = clock.now()
    try:
        if with_year:
            return datetime.strptime(stamp, "%b %d %Y %H:%M:%S").replace(tzinfo=UTC)
        found = datetime.strptime(f"{now.year} {stamp}", "%Y %b %d %H:%M:%S").replace(tzinfo=UTC)
        return found.replace(year=now.year - 1) if (found - now).days > 1 else found
    except ValueError:
        return None
