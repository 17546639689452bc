"""The motive of look-ups in the directory: asked of people, taken from the headers of software, refused by policy."""

from dataclasses import replace
from datetime import timedelta

import pytest
from starlette.requests import Request

from esante.core import clock
from esante.core.storage import NIL, uuid7
from esante.core.web import Problem
from esante.identity.access.authn import motives
from esante.identity.access.authn.motives import header_motive, local_path, motives_for
from esante.identity.access.authn.person_lookups import current_requester
from esante.identity.directory import (
    Motive,
    PersonQuery,
    PersonRead,
    PersonSearched,
    ProfessionalsRead,
    current_motive,
)
from tests.support.access_policy import changed_policy
from tests.support.consent import problem_of


def acting(requester, motive=None):
    """Make somebody the requester of what follows in this test, with a motive; return them."""
    current_requester.set(requester)
    current_motive.set(motive or Motive())
    return requester


def request_with(**headers):
    found = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": found})


def software(house):
    return replace(house.software, id=uuid7(), scopes=frozenset(["system/Patient.rs"]))


async def look_ups(house, patient, requester):
    """A search, a read, and a look at professionals: each a look-up of its own."""
    query = PersonQuery(value=await house.identifier(patient))
    await house.directory.search_persons(query, actor=requester.actor)
    await house.directory.read_person(patient.id, actor=requester.actor)
    await house.directory.record_look(ProfessionalsRead(type="Practitioner"), actor=requester.actor)


async def stated_in(journal, patient, requester):
    """The motives in the entries of `look_ups`."""
    entries = await journal.entries_of(patient.id, [PersonSearched, PersonRead], limit=10)
    entries += await journal.entries_of(NIL, [ProfessionalsRead], limit=1)
    return [
        (entry.event.motive, entry.event.file_reference) for entry in entries if entry.actor.id == requester.actor.id
    ]


async def test_person_at_the_portal_looks_nobody_up_without_a_motive(house, journal):
    patient, doctor = await house.patient(), acting(replace(house.doctor, id=uuid7()))
    for act in (
        house.directory.search_persons(PersonQuery(value=await house.identifier(patient)), actor=doctor.actor),
        house.directory.read_person(patient.id, actor=doctor.actor),
        house.directory.record_look(ProfessionalsRead(type="Practitioner"), actor=doctor.actor),
    ):
        assert (await problem_of(act)).code == "motive-missing"
    assert await stated_in(journal, patient, doctor) == []


@pytest.mark.parametrize("who", ["doctor", "operator"])
async def test_stated_motive_and_file_are_in_every_entry(house, journal, who):
    patient = await house.patient()
    requester = acting(replace(getattr(house, who), id=uuid7()), Motive("TREAT", "2026-118"))
    await look_ups(house, patient, requester)
    assert await stated_in(journal, patient, requester) == [("TREAT", "2026-118")] * 3


async def test_software_without_a_motive_is_recorded_or_refused_by_the_policy(house, journal):
    patient, requester = await house.patient(), acting(software(house))
    await look_ups(house, patient, requester)
    assert await stated_in(journal, patient, requester) == [("", "")] * 3
    with changed_policy(unstated_lookups_allowed=False):
        assert (await problem_of(look_ups(house, patient, requester))).status == 403
        acting(requester, Motive("PATADMIN"))
        await look_ups(house, patient, requester)
    assert ("PATADMIN", "") in await stated_in(journal, patient, requester)


async def test_patient_looks_up_at_their_own_request(house, journal):
    patient = acting(await house.patient())
    await look_ups(house, patient, patient)
    assert await stated_in(journal, patient, patient) == [("PATRQT", "")] * 3


async def test_look_up_of_nobody_has_its_motive_too(house, journal):
    requester = acting(replace(house.doctor, id=uuid7()), Motive("TREAT", "118"))
    await house.directory.find_person(None, uuid7().hex)
    (entry,) = await journal.entries_of(NIL, [PersonSearched], limit=1)
    assert (entry.actor.id, entry.event.motive, entry.event.file_reference) == (requester.id, "TREAT", "118")


def test_headers_of_software_state_the_motive(house):
    request = request_with(x_purpose_of_use="TREAT", x_file_reference=" 2026-118 ")
    assert header_motive(request, house.software) == Motive("TREAT", "2026-118")
    assert header_motive(request_with(), house.software) == Motive()


@pytest.mark.parametrize(
    ("headers", "place"),
    [
        ({"x_purpose_of_use": "HMARKT"}, "X-Purpose-Of-Use"),
        ({"x_purpose_of_use": "HOPERAT"}, "X-Purpose-Of-Use"),  # for operators
        ({"x_purpose_of_use": "TREAT,PATADMIN"}, "X-Purpose-Of-Use"),
        ({"x_purpose_of_use": "TREAT", "x_file_reference": "x" * 65}, "X-File-Reference"),
    ],
)
def test_wrong_header_is_refused_with_its_place(house, headers, place):
    with pytest.raises(Problem) as refused:
        header_motive(request_with(**headers), house.software)
    assert (refused.value.status, refused.value.place) == (400, place)


def test_everybody_who_is_asked_has_a_motive_to_choose():
    for kind in ("practitioner", "operator", "organization", "patient"):
        assert motives_for(kind)
    assert motives_for("riddle") == ()


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/patients/0199-a/deposit", "/patients/0199-a/deposit"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/log?q=1", "/"),
        ("/a\nb", "/"),
        ("", "/"),
    ],
)
def test_motive_leads_back_to_paths_of_this_site_only(text, path):
    assert local_path(text) == path


async def test_old_motives_are_deleted(house, db):
    await db.fetch("DELETE FROM access_motive")
    for hours in (1, 30):
        at = clock.now() - timedelta(hours=hours)
        await db.fetch("INSERT INTO access_motive VALUES ($1, $2, 'TREAT', '1', $3)", b"x", f"person:{hours}", at)
    await house.access.motives.tidy()
    assert await db.fetchval("SELECT array_agg(task) FROM access_motive") == ["person:1"]
    assert timedelta(hours=8) <= motives.KEPT


async def test_look_ups_end_after_ten_years(journal):
    years = {
        type_: (clock.now() - before) / timedelta(days=365.25)
        for type_, of_person, before in journal.retention(clock.now())
        if type_.startswith("directory.")
    }
    assert set(years) >= {"directory.person_searched"} and all(9.9 < value < 10.1 for value in years.values())
