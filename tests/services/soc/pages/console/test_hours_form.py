"""The form of the hours of a source: what it reads, what it shows, who may, and what is wrong."""

from datetime import timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from starlette.datastructures import FormData

from esante.core.web import Problem
from esante.services.soc.pages.console.hours_form import DAY, LONGEST, read_hours, shown_hours
from esante.services.soc.silence.rules import WEEK, Hours
from esante.services.soc.sources.model import SourceKind
from tests.support.portal_browser import page_text

OPERATOR, CONTACT = "/operator/soc", "/security"
SPANS = st.lists(st.tuples(st.integers(0, WEEK - 1), st.integers(1, 2 * DAY)), max_size=8)


def covered(hours):
    """Return the minutes of the week that hours have."""
    return {minute for one in hours for minute in range(one.begins, one.ends)}


@given(SPANS)
def test_hours_that_are_shown_are_read_as_the_same_hours(spans):
    """Whatever the hours are: saving what is shown changes nothing."""
    minutes = {minute for begin, length in spans for minute in range(begin, min(WEEK, begin + length))}
    edges = [minute for minute in sorted(minutes) if minute - 1 not in minutes]
    ends = [minute + 1 for minute in sorted(minutes) if minute + 1 not in minutes]
    hours = [Hours(*pair) for pair in zip(edges, ends, strict=True)]
    form = FormData({f"day{day}": text for day, text in enumerate(shown_hours(hours))})
    assume(all(len(text) <= LONGEST for text in form.values()))
    assert read_hours(form) == hours and covered(hours) == minutes


def test_spans_that_overlap_or_touch_are_one_also_over_midnight():
    form = FormData({"day0": "8:00-12:00, 11:00 – 13:00,", "day1": "22:00-24:00", "day2": "00:00-06:00"})
    assert read_hours(form) == [Hours(480, 780), Hours(DAY + 1320, 2 * DAY + 360)]


@pytest.mark.parametrize(
    "text",
    [
        "8",
        "25:00-26:00",
        "08:60-09:00",
        "08:5-09:00",
        "٠٨:٠٠-٠٩:٠٠",
        "x",
        "09:00-08:00",
        "08:00-24:01",
        "08:00-08:00",
        "1" * 200,
    ],
)
def test_text_that_is_no_span_is_refused(text):
    with pytest.raises(Problem) as caught:
        read_hours(FormData({"day0": text}))
    assert caught.value.status == 400


async def test_operator_sets_hours_and_a_mistake_keeps_what_was_entered(world, browse, sources):
    tenant, contact = await world.member("Cabinet A")
    source = await sources.add(contact, tenant.tenant_id, "Router", SourceKind.SYSLOG, timedelta(hours=1))
    path = f"/members/{tenant.tenant_id}/sources/{source.source_id}"
    anna, action = await browse(world.anna), f"{OPERATOR}{path}/hours"
    page = await anna.get(f"{OPERATOR}{path}")
    refused = await anna.submit(page, action, 400, day0="08:00", day1="09:15-18:00")
    assert "These are no hours of a day." in refused.text and 'value="09:15-18:00"' in refused.text
    await anna.submit(page, action, day0="08:00-18:30", day5="22:00-24:00", day6="00:00-06:00")
    text = (await anna.http.get(f"{OPERATOR}{path}")).text
    assert all(f'value="{one}"' in text for one in ("08:00-18:30", "22:00-24:00", "00:00-06:00"))
    visitor = await browse(contact)
    shown = page_text(await visitor.get(f"{CONTACT}{path}"))
    assert "Monday08:00-18:30" in shown and "Saturday22:00-24:00" in shown
    assert (await visitor.http.post(f"{CONTACT}{path}/hours")).status_code in (403, 404)
    page = await anna.get(f"{OPERATOR}{path}")
    await anna.submit(page, action, day0="", day5="", day6="")
    assert "Monday" not in page_text(await visitor.get(f"{CONTACT}{path}"))
    assert await world.journal_count("soc.source_hours_changed") == 2
