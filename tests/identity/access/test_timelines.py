"""Access hour by hour where contexts meet, rules change in the middle of a stay, or somebody has two columns."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.time_limits import start_of
from esante.identity.access import (
    Action,
    Consent,
    Grant,
    GrantKind,
    Item,
    Purpose,
    RecordState,
    Requester,
    decide,
    policy_set,
    requester_of,
)
from esante.identity.access.regulation.assignment import Assignment
from esante.identity.directory import Organization, Practitioner, Role
from tests.support.consent import read_verdict

ZONE = ZoneInfo("Europe/Luxembourg")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PERSON, DOCTOR = UUID(int=1), UUID(int=3)
FIRST = datetime(2026, 3, 2, 9, 30, tzinfo=ZONE).astimezone(UTC)
"""Four weeks before the clocks change to summer time."""
DOC = Requester(kind="practitioner", id=DOCTOR, name="Dr", profession="doctor")
CEILINGS = {
    "own_practice": ("presence_code", (0, 15)),
    "institution": ("institution_stay", (0, 45)),
    "hospital_emergency": ("institution_stay", (24, 15)),
    "vital_interests": ("emergency", (24, 0)),
}
"""Kind of grant, and hours and days, as the law has them."""


def a_grant(context, since, serial=9, **changes):
    kind = GrantKind(CEILINGS[context][0])
    values = {"kind": kind, "context": context, "since": since} | changes
    return Grant(id=UUID(int=serial), person_id=PERSON, holder_kind="practitioner", holder_id=DOCTOR, **values)


def lawful_end(context, since):
    """The end of a context, computed in words of the law and not by the program."""
    hours, days = CEILINGS[context][1]
    local = (since + hours * HOUR).astimezone(ZONE)
    day = local.date() + timedelta(days=days)
    return datetime.combine(day, local.time(), ZONE).astimezone(UTC)


def verdict_at(at, *grants, requester=DOC, item="letter", action=Action.READ, rules=None):
    consent = Consent(person_id=PERSON, state=RecordState.OPEN, grants=grants, rules=rules)
    return decide(consent, requester, action, Item(category=item), Purpose.TREATMENT, at)


@given(
    st.lists(st.tuples(st.sampled_from(sorted(CEILINGS)), st.integers(0, 60 * 24)), min_size=2, max_size=4),
    st.integers(-30, 110 * 24),
)
def test_overlapping_contexts_give_access_while_one_of_them_goes_on_and_name_one_that_does(begun, hour):
    grants = [a_grant(context, FIRST + start * HOUR, serial) for serial, (context, start) in enumerate(begun, 10)]
    at = FIRST + hour * HOUR + timedelta(minutes=7)
    going_on = {one.context for one in grants if one.since <= at < lawful_end(one.context, one.since)}
    found = verdict_at(at, *grants)
    assert found.allowed is bool(going_on)
    assert not found.allowed or found.context in going_on


def test_emergency_within_a_stay_ends_before_it_and_the_stay_goes_on():
    stay, emergency = a_grant("institution", FIRST, 10), a_grant("hospital_emergency", FIRST + 20 * DAY, 11)
    ends = [lawful_end(one.context, one.since) for one in (emergency, stay)]
    for end, rest in zip(ends, ((stay,), ()), strict=True):
        for hours in range(-26, 27):
            at = end + hours * HOUR
            assert verdict_at(at, stay, emergency).allowed is (hours < 0 or bool(rest))


@pytest.mark.parametrize("context", sorted(CEILINGS))
@pytest.mark.parametrize("day", [date(2026, 3, 28), date(2026, 3, 29), date(2026, 10, 24), date(2026, 10, 25)])
def test_ceiling_beside_a_change_of_the_clocks_ends_at_the_hour_of_the_law(context, day):
    hours, days = CEILINGS[context][1]
    for clock_hour in range(24):
        local = datetime(day.year, day.month, day.day, clock_hour, 15, tzinfo=ZONE)
        since = (local.astimezone(UTC) - days * DAY) - hours * HOUR
        grant, end = a_grant(context, since), lawful_end(context, since)
        seen = [verdict_at(end + step * timedelta(minutes=30), grant).allowed for step in range(-6, 7)]
        assert sorted(seen, reverse=True) == seen  # access ends once
        lasted = sum(pair == (True, False) for pair in pairwise(seen))
        assert lasted == 1 and abs(seen.index(False) - 6) <= 2
        assert not verdict_at(max(end, end.astimezone(ZONE).replace(fold=1).astimezone(UTC)), grant).allowed


def changed_from(day, key, **changes):
    """The rules of today until a day, and from it on with a context of care that is changed."""
    rules = policy_set()
    newest = rules.contexts[-1]
    contexts = tuple(msgspec.structs.replace(one, **changes) if one.key == key else one for one in newest.contexts)
    later = replace(newest, valid_from=day, contexts=contexts)
    return replace(rules, contexts=(*rules.contexts, later), _rules={}, _days={})


def test_lower_ceiling_from_a_day_on_ends_a_stay_that_goes_on_at_the_beginning_of_that_day():
    day = date(2026, 4, 1)
    rules, grant = changed_from(day, "institution", days=10), a_grant("institution", FIRST)
    for hours in range(-30, 31):
        at = start_of(day) + hours * HOUR
        assert verdict_at(at, grant, rules=rules).allowed is (hours < 0)


def test_higher_ceiling_from_a_day_on_does_not_open_before_that_day_what_had_ended():
    end = lawful_end("institution", FIRST)
    day = (end + 3 * DAY).astimezone(ZONE).date()
    rules, grant = changed_from(day, "institution", days=90), a_grant("institution", FIRST)
    for hours in range(-80, 30):
        at = start_of(day) + hours * HOUR
        assert verdict_at(at, grant, rules=rules).allowed is (at < end or hours >= 0)
    assert not verdict_at(start_of(day), replace(grant, until=end), rules=rules).allowed  # its own end stays


def test_context_turned_off_in_the_middle_of_a_stay_ends_it_hour_by_hour():
    day = date(2026, 3, 29)  # the clocks change
    rules, grant = changed_from(day, "institution", allowed=False), a_grant("institution", FIRST)
    for hours in range(-25, 26):
        at = start_of(day) + hours * HOUR
        assert verdict_at(at, grant, rules=rules).allowed is (hours < 0)


def test_sorting_changed_in_the_middle_of_a_stay_counts_from_the_beginning_of_its_day():
    day = date(2026, 3, 29)
    change = Assignment(document_class="letter", category="dispensing", valid_from=day, legal_source="x")
    rules, grant = policy_set().with_assignments([change]), a_grant("institution", FIRST)
    for hours in range(-25, 26):
        at = start_of(day) + hours * HOUR
        assert verdict_at(at, grant, rules=rules).allowed
        assert verdict_at(at, grant, action=Action.WRITE, rules=rules).allowed is (hours < 0)


def test_professional_in_two_columns_acts_in_the_one_of_their_role():
    hospital, pharmacy = (
        Organization(id=UUID(int=number), identifiers=(), name="x", kind=kind)
        for number, kind in ((5, "hospital"), (6, "pharmacy"))
    )
    roles = tuple(
        Role(id=UUID(int=number), organization_id=place.id, profession=profession, since=date(2020, 1, 1))
        for number, place, profession in ((7, hospital, "doctor"), (8, pharmacy, "pharmacist"))
    )
    both = Practitioner(id=DOCTOR, identifiers=(), family="Both", given=("Ada",), profession="doctor", roles=roles)
    grant = a_grant("own_practice", FIRST)
    for hours in range(-2, 15 * 24 + 4):
        at = FIRST + hours * HOUR
        inside = hours >= 0 and at < lawful_end("own_practice", FIRST)
        for place, reads, writes in ((hospital, True, False), (pharmacy, True, True)):
            requester = requester_of(both, place)
            assert verdict_at(at, grant, requester=requester, item="dispensing").allowed is (inside and reads)
            writing = verdict_at(at, grant, requester=requester, item="dispensing", action=Action.WRITE)
            assert writing.allowed is writes or not inside
        summary = [
            verdict_at(at, grant, requester=requester_of(both, place), item="patient_summary").allowed
            for place in (hospital, pharmacy)
        ]
        assert summary == [inside, False]


@pytest.mark.parametrize("encounter", ["IMP", "EMER"])
async def test_stay_registered_long_after_it_gives_its_ceiling_from_the_registration_only(house, encounter):
    patient = await house.open_patient()
    began = datetime.now(UTC) - timedelta(days=3 * 365)
    stay, _ = await house.access.stays.admit(house.software, patient.id, began, encounter)
    (grant,) = (await house.access.consent(patient.id)).grants
    context = "institution" if encounter == "IMP" else "hospital_emergency"
    assert grant.until == lawful_end(context, grant.since)
    assert not (await read_verdict(house, patient, house.doctor, at=grant.since - HOUR)).allowed
    for hours in range(-3, 4):
        at = grant.until + hours * HOUR
        assert (await read_verdict(house, patient, house.doctor, at=at)).allowed is (hours < 0)
    await house.access.stays.finish(house.software, patient.id, stay.id, began + timedelta(days=5))
    assert not (await read_verdict(house, patient, house.doctor, at=datetime.now(UTC) + HOUR)).allowed
