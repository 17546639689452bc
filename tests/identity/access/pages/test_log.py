"""The access log of a patient."""

from esante.core.journal import Actor, event
from esante.core.storage import uuid7
from esante.identity.access import AccessEvent
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
        await journal.append(opened, person_id=patient.id, actor=actor, origin="192.0.2.7")
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
    refused = await user.get("/log?kind=refused")
    assert len(refused.xpath("//ol[contains(@class, 'timeline')]/li")) == 6
    assert "Refused" in page_text(refused)
    assert len((await user.get("/log?q=opened")).xpath("//ol[contains(@class, 'timeline')]/li")) == 1
    assert "No results" in page_text(await user.get("/log?q=Klein"))
    await user.get("/log?kind=secret", 404)
    for cursor in ("x", "WyJ4Il0", "%00"):
        assert (await user.http.get(f"/log?cursor={cursor}")).status_code in (400, 404)


async def test_log_without_matches_shows_a_notice(browse, house):
    user = await browse(await house.patient())
    page = await user.get("/log?kind=documents")
    assert "No results" in page_text(page)
