"""Times of HL7 V2 (DTM): of any precision, with or without a time zone."""

import re
from datetime import UTC, datetime, timedelta, timezone

from esante.core.time_zone import time_zone
from esante.services.exchange.mllp.hl7v2.er7 import Segment
from esante.services.exchange.mllp.model import Code, Fault

_DTM = re.compile(r"(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:\.\d{1,4})?([+-]\d{4})?")


def read_moment(segment: Segment, field: int) -> datetime | None:
    """Return the moment in a field in UTC, None for an empty one; without a zone it is the country's.

    Raises: `Fault` for what is no time.
    """
    text = segment.text(field)
    if not text:
        return None
    found = _DTM.fullmatch(text)
    if found is None:
        raise _no_time(segment, field)
    parts = [int(part) if part else None for part in found.groups()[:6]]
    year, month, day, hour, minute, second = parts
    try:
        zone = _zone(found[7]) if found[7] else time_zone()
        local = datetime(year or 0, month or 1, day or 1, hour or 0, minute or 0, second or 0, tzinfo=zone)
        return local.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _no_time(segment, field) from error


def read_day(text: str) -> str:
    """Return the day in a DTM as FHIR writes it, of the precision that it has; "" for none."""
    digits = re.match(r"\d{0,8}", text)
    found = digits[0] if digits else ""
    return "-".join(filter(None, (found[:4], found[4:6], found[6:8]))) if len(found) >= 4 else ""


def _zone(text: str) -> timezone:
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[3:5]))
    return timezone(-offset if text[0] == "-" else offset)


def _no_time(segment: Segment, field: int) -> Fault:
    return Fault(Code.DATA_TYPE, segment.place(field), "This is no time.", "Write it as YYYYMMDDHHMMSS+ZZZZ.")
