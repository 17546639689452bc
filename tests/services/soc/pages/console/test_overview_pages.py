"""The overview with its live rate, and the timeline: of everything for operators, of their own for contacts."""

from datetime import timedelta

import pytest

from esante.core import clock
from esante.services.soc.alerts.model import Level
from esante.services.soc.console import timeline
from esante.services.soc.sources.model import SourceKind
from tests.support.portal_browser import page_text
from tests.support.soc_cases import incident_facts
from tests.support.soc_events import a_stored_event, store

OPERATOR, CONTACT = "/operator/soc", "/security"
OVERVIEW = f"{CONTACT}/overview"
HOSTILE = "<script>alert(1)</script>\"'{{7*7}}"


async def empty_tables(world):
    """Delete what other tests left."""
    async with world.db.transaction() as conn:
        tables = await conn.fetch("SELECT relname FROM pg_class WHERE relname LIKE 'soc%' AND relkind IN ('r', 'p')")
        await conn.execute(f"TRUNCATE {', '.join(row['relname'] for row in tables)} CASCADE")


async def test_empty_overview_says_what_to_do_first(world, browse):
    await empty_tables(world)
    operator = await browse(world.anna)
    assert "Begin with a member" in page_text(await operator.get(OPERATOR))
    assert "Nothing has happened yet" in page_text(await operator.get(f"{OPERATOR}/timeline"))
    _, contact = await world.member("Hôpital A")
    assert "No system sends events yet" in page_text(await operator.get(OPERATOR))
    assert "No system sends events yet" in page_text(await (await browse(contact)).get(OVERVIEW))


async def test_overview_shows_what_waits_runs_and_is_silent(world, browse, sources):
    await empty_tables(world)
    tenant, contact = await world.member("Hôpital B")
    source = await sources.add(contact, tenant.tenant_id, "Quiet router", SourceKind.SYSLOG, timedelta(minutes=1))
    await world.db.fetch(
        "UPDATE soc_source SET last_event_at = $2 WHERE source_id = $1",
        source.source_id,
        clock.now() - timedelta(hours=1),
    )
    await world.raise_alerts(tenant.tenant_id, "a", "b", level=Level.CRITICAL, title=f"Shadow {HOSTILE}", rule="r-2")
    await world.raise_alerts(tenant.tenant_id, "c", level=Level.LOW)
    case = await world.case(tenant.tenant_id, "d")
    await world.duties.state(world.anna, case.case_id, incident_facts(severe_disruption=True, aware_at=clock.now()))
    await store(world.db, a_stored_event(tenant.tenant_id, clock.now()))
    for browser, place in ((await browse(world.anna), OPERATOR), (await browse(contact), OVERVIEW)):
        page = await browser.get(place)
        text = page_text(page)
        assert "Quiet router" in text
        assert f"Shadow {HOSTILE}" in text and not page.xpath("//main//script")
        cells = page.xpath("//section[@aria-labelledby='waiting']//tbody/tr/td[1]")
        assert [cell.text_content().strip() for cell in cells] == ["2", "0", "0", "1", "0"]
        assert page.xpath(f"//section[@aria-labelledby='clocks']//a[contains(@href, '{case.case_id}')]")
        (flow,) = page.xpath("//div[@id='flow']")
        part = await browser.get(flow.get("hx-get"))
        assert "0.1" in part.text_content() and part.get("id") == "flow" and part.get("hx-get") == flow.get("hx-get")
        assert "Events over 7 days" in page_text(await browser.get(f"{place}?span=week"))
        assert (await browser.http.get(f"{place}?span=year")).status_code == 404


async def test_suppressed_alerts_do_not_count_as_waiting(world, browse):
    await empty_tables(world)
    tenant, contact = await world.member("Hôpital C")
    await world.raise_alerts(tenant.tenant_id, "a", rule="noisy")
    await world.suppressions.suppress(
        world.anna, rule="noisy", subject="", tenant_id=None, days=7, reason="Known and harmless"
    )
    assert "No alert is waiting" in page_text(await (await browse(contact)).get(OVERVIEW))


async def test_timeline_has_alerts_and_cases_in_order_and_filters_them(world, browse, monkeypatch):
    await empty_tables(world)
    tenant, contact = await world.member("Hôpital D")
    case = await world.case(tenant.tenant_id, "one", title="First alert")
    await world.cases.note(contact, case.case_id, f"Called the vendor {HOSTILE}")
    await world.cases.note(world.anna, case.case_id, "Only for the agency", is_internal=True)
    await world.raise_alerts(tenant.tenant_id, "two", title="Second alert", level=Level.LOW)
    operator, visitor = await browse(world.anna), await browse(contact)
    text = page_text(await operator.get(f"{OPERATOR}/timeline"))
    order = [
        text.index(one) for one in ("Second alert", "Only for the agency", "Called the vendor", "The case was opened")
    ]
    assert order == sorted(order)
    page = await visitor.get(f"{CONTACT}/timeline")
    text = page_text(page)
    assert f"Called the vendor {HOSTILE}" in text and "Only for the agency" not in text
    assert not page.xpath("//main//script")
    for query, present, absent in (
        ("kind=alerts", "Second alert", "The case was opened"),
        ("kind=cases", "The case was opened", "Second alert"),
        ("level=3", "The case was opened", "Second alert"),
        ("q=second", "Second alert", "The case was opened"),
    ):
        text = page_text(await visitor.get(f"{CONTACT}/timeline?{query}"))
        assert present in text and absent not in text, query
    assert "Nothing found" in page_text(await visitor.get(f"{CONTACT}/timeline?until=2020-01-01"))
    monkeypatch.setattr(timeline, "PAGE_SIZE", 2)
    page, seen = await visitor.get(f"{CONTACT}/timeline"), 0
    while links := page.xpath("//a[@rel='next']/@href"):
        seen += len(page.xpath("//ol[@class='timeline']/li"))
        page = await visitor.get(links[0])
    assert (
        seen + len(page.xpath("//ol[@class='timeline']/li"))
        == len((await world.cases.timeline(contact, case.case_id)).items) + 2
    )


@pytest.mark.parametrize("query", ["kind=x", "level=99", "level=x", "member=x", "until=9999-12-31", "until=x"])
async def test_timeline_that_no_form_makes_is_not_found(world, browse, query):
    assert (await (await browse(world.anna)).http.get(f"{OPERATOR}/timeline?{query}")).status_code == 404
