"""The access log of a patient."""

from datetime import date

import msgspec

from esante.core.journal import Actor, event
from esante.core.storage import uuid7
from esante.identity.access import AccessEvent
from esante.identity.directory import PersonRead, ReferringDoctorChanged
from tests.support.portal_browser import page_text


@event("test.access_page_seen")
class DocumentOpened(AccessEvent, frozen=True, kw_only=True):
    """A document was opened."""


async def test_log_is_filtered_and_paged(browse, house, journal):
    patient = await house.open_patient()
    actor = Actor(kind="practitioner", id=uuid7(), name="Dr Weber", role="doctor", organization="Hôpital du Nord")
    for number in range(60):
        opened = DocumentOpened(
            categories=("letter",), documents=(uuid7(),), allowed=number % 10 > 0, reason="no-grant"
        )
        visitor = msgspec.structs.replace(actor, id=uuid7())
        await journal.append(opened, person_id=patient.id, actor=visitor, origin="192.0.2.7")
    user = await browse(patient)
    page = await user.get("/log?kind=looked")
    lines = page.xpath("//ol[contains(@class, 'timeline')]/li")
    assert len(lines) == 25
    assert "Dr Weber viewed your record: Letter." in page_text(page) and "Doctor" in page_text(page)
    count = len(lines)
    while older := page.xpath("//a[@rel = 'next']/@href"):
        page = await user.get(older[0])
        count += len(page.xpath("//ol[contains(@class, 'timeline')]/li"))
    assert count == 60
    for newer in range(2):
        page = await user.get(page.xpath("//a[@rel = 'prev']/@href")[0])
        assert bool(page.xpath("//a[@rel = 'prev']")) == (newer == 0)
    assert len(page.xpath("//ol[contains(@class, 'timeline')]/li")) == 25
    refused = await user.get("/log?kind=refused")
    assert len(refused.xpath("//ol[contains(@class, 'timeline')]/li")) == 6
    assert "Refused" in page_text(refused)
    assert len((await user.get("/log?q=opened")).xpath("//ol[contains(@class, 'timeline')]/li")) == 1
    assert "No results" in page_text(await user.get("/log?q=Klein"))
    await user.get("/log?kind=secret", 404)
    for cursor in ("x", "WyJ4Il0", "%00"):
        assert (await user.http.get(f"/log?cursor={cursor}")).status_code in (400, 404)


async def test_visit_is_one_entry_that_unfolds(browse, house, journal):
    patient = await house.open_patient()
    for category in ("letter", "report", "letter"):
        opened = DocumentOpened(categories=(category,), documents=(uuid7(),))
        await journal.append_for(house.doctor, opened, person_id=patient.id)
        await journal.append_for(patient, opened, person_id=patient.id)
    page = await (await browse(patient)).get("/log?kind=looked")
    own, visit = page.xpath("//ol[contains(@class, 'timeline')]/li")
    assert "You viewed your record" in own.text_content() and patient.name not in own.text_content()
    assert house.doctor.name in visit.text_content() and "3 accesses" in visit.text_content()
    assert len(visit.xpath(".//details//ul/li")) == 3


async def test_log_without_matches_shows_a_notice(browse, house):
    user = await browse(await house.patient())
    page = await user.get("/log?kind=documents")
    assert "No results" in page_text(page)


async def test_end_on_a_day_is_shown_as_a_day(browse, house, journal):
    patient = await house.open_patient()
    actor = Actor(kind="organization", id=uuid7(), name="CNS")
    changed = ReferringDoctorChanged(
        practitioner_id=uuid7(), practitioner="Dr Weber", since=date(2020, 1, 1), until=date(2026, 2, 28)
    )
    await journal.append(changed, person_id=patient.id, actor=actor)
    text = page_text(await (await browse(patient)).get("/log"))
    assert "Dr Weber will no longer be your referring doctor" in text and "28 February 2026" in text


async def test_context_and_motive_stand_in_plain_words_beside_each_access(browse, house, journal):
    patient = await house.open_patient()
    actor = Actor(kind="practitioner", id=uuid7(), name="Dr Weber", role="doctor")
    opened = DocumentOpened(categories=("letter",), documents=(uuid7(),), context="hospital_emergency")
    await journal.append(opened, person_id=patient.id, actor=actor)
    await journal.append(
        PersonRead(allowed=True, motive="PATADMIN", file_reference="2026-118"), person_id=patient.id, actor=actor
    )
    await journal.append(
        PersonRead(allowed=True), person_id=patient.id, actor=msgspec.structs.replace(actor, id=uuid7())
    )
    page = await (await browse(patient)).get("/log?kind=looked")
    lines = [" ".join(line.text_content().split()) for line in page.xpath("//ol[contains(@class, 'timeline')]/li")]
    unstated, stated, read = lines[:3]
    assert "No reason was stated for this look-up." in unstated
    assert "Admission and patient administration" in stated and "2026-118" in stated
    assert "No reason was stated" not in stated
    (context,) = page.xpath("//li[3]//p[contains(., 'emergency care')][not(ancestor::details)]")
    assert context is not None and "Letter" in read
    assert "Dr Weber" in page_text(await (await browse(patient)).get("/log?q=2026-118"))
