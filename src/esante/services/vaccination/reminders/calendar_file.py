"""The calendar file (iCalendar, RFC 5545) of the doses that will be due to a person."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from icalendar import Alarm, Calendar, Event

from esante.core.time_zone import day_of
from esante.core.web import N_
from esante.services.vaccination.products.catalogue import catalogue
from esante.services.vaccination.reminders.model import DueDose

MEDIA_TYPE = "text/calendar"
_SPACE = UUID("3b4a5e34-7d0f-8a61-9c55-0d2f3f9f6a10")
"""The name space of the identifiers of events (RFC 9562, version 5): fetched again, an event has the same."""

_ADVICE = N_("Make an appointment with your doctor. This entry does not change by itself: fetch the file again later.")


def calendar_file(
    person_id: UUID, doses: Sequence[DueDose], at: datetime, url: str, gettext: Callable[[str], str]
) -> bytes:
    """Return a calendar with an event of a day for each dose; one that is due already is on the day of `at`.

    `url`: the page of the card. No name and no birth date are in it: a calendar is often shared.
    """
    calendar = Calendar()
    calendar.add("prodid", "-//esante//vaccinations//")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", gettext(N_("Vaccinations")))
    for dose in doses:
        names = ", ".join(gettext(catalogue().antigens[key].label) for key in dose.antigens)
        day = max(dose.due_on, day_of(at))
        event = Event()
        event.add("uid", f"{uuid5(_SPACE, f'{person_id} {dose.due_on} {dose.antigens}')}@esante")
        event.add("dtstamp", at)
        event.add("dtstart", day)
        event.add("dtend", day + timedelta(days=1))
        event.add("summary", gettext(N_("Vaccination due: %(names)s")) % {"names": names})
        event.add("description", gettext(_ADVICE))
        event.add("url", url)
        event.add("transp", "TRANSPARENT")
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", gettext(N_("Vaccination due: %(names)s")) % {"names": names})
        alarm.add("trigger", timedelta(days=-7))
        event.add_component(alarm)
        calendar.add_component(event)
    made: bytes = calendar.to_ical()
    return made
