"""The pages of marked persons and of how the detections do; and the command with the same figures."""

from datetime import UTC, datetime, timedelta

import pytest

from esante.core.clock import use_clock
from esante.services.soc.alerts.model import Origin
from esante.services.soc.health.context.people import Mark
from esante.services.soc.health.lists import mark_store
from esante.services.soc.health.lists.service import MarkLists
from esante.services.soc.health.results.service import DetectionResults
from esante.services.soc.pages.detections.mark_pages import MarkPages
from esante.services.soc.pages.detections.result_pages import ResultPages
from tests.support.directory_entries import a_person
from tests.support.portal_browser import page_text
from tests.support.signed_in_pages import application_of

OPERATOR = "/operator/soc"
WATCHED, INVENTED = f"{OPERATOR}/watched", f"{OPERATOR}/invented"
REASON = "Named by the office of the minister."


@pytest.fixture
def app(world):
    """The pages."""
    lists = MarkLists(world.db, world.journal, world.directory, world.access)
    results = DetectionResults(world.db)
    return application_of(
        world.access, [*MarkPages(lists, world.access).routes(), *ResultPages(results, world.access).routes()]
    )


async def test_watched_person_is_proposed_and_confirmed_by_two_operators(world, browse):
    anna, ben = await browse(world.anna), await browse(world.ben)
    page = await anna.get(WATCHED)
    assert "Nobody is on this list" in page_text(page)
    person = await world.directory.register_person(a_person(family="Berühmt"))
    value = person.identifiers[0].value
    wrong = await anna.submit(page, WATCHED, 400, identifier="nobody has this", reason=REASON)
    assert "Nobody, or not only one person" in wrong.text and "nobody has this" in wrong.text
    await anna.submit(page, WATCHED, identifier=value, reason=REASON)
    page = await anna.get(f"{WATCHED}?q=berühmt")
    assert "Berühmt" in page_text(page) and "A second person has to confirm" in page_text(page)
    refused = await anna.submit(page, f"{WATCHED}/{person.id}/confirm", 409)
    assert "You proposed this yourself." in refused.text
    assert await mark_store.fetch_marks(world.db, [person.id]) == {}
    await ben.submit(await ben.get(WATCHED), f"{WATCHED}/{person.id}/confirm")
    assert await mark_store.fetch_marks(world.db, [person.id]) == {person.id: Mark.WATCHED}
    await ben.submit(await ben.get(WATCHED), f"{WATCHED}/{person.id}/end")
    assert await mark_store.fetch_marks(world.db, [person.id]) == {}
    assert "Nothing found" in page_text(await anna.get(f"{WATCHED}?q=xyzzy"))
    listed = await world.journalled("soc.marks_listed")
    assert listed and not any(str(person.id) in one for one in listed)


async def test_invented_person_is_registered_when_the_second_operator_confirms(world, browse):
    anna, ben = await browse(world.anna), await browse(world.ben)
    page = await anna.get(INVENTED)
    given = {
        "family": "Erfunden", "given": "Jean Paul", "born": "1970-02-03", "sex": "male", "matricule": "1970020399999",
        "line": "1, rue de l'Agence", "postal_code": "L-1111", "city": "Luxembourg", "reason": REASON,
    }  # fmt: skip
    for changed in ({"born": "x"}, {"sex": "x"}, {"family": ""}, {"reason": "short"}):
        refused = await anna.submit(page, INVENTED, 400, **given | changed)
        assert "rue de l" in refused.text, "what was entered stays"
    await anna.submit(page, INVENTED, **given)
    page = await ben.get(INVENTED)
    assert "not registered yet" in page_text(page)
    (action,) = {form.get("action") for form in page.forms if (form.get("action") or "").endswith("/confirm")}
    await ben.submit(page, action)
    assert "Erfunden" in page_text(await ben.get(INVENTED))
    found = await world.directory.find_person(None, given["matricule"])
    assert found is not None and found.given == ("Jean", "Paul")


async def test_lists_and_results_are_for_operators_only(world, browse):
    _, contact = await world.member("Hôpital A")
    for requester in (contact, None):
        visitor = await browse(requester)
        for path in (WATCHED, INVENTED, f"{OPERATOR}/detections"):
            assert (await visitor.http.get(path)).status_code in (303, 401, 403, 404)


async def test_results_say_what_became_of_the_alerts_of_each_detection(world, browse, journal):
    tenant, _ = await world.member("Hôpital B")
    anna = await browse(world.anna)
    health = {"origin": Origin.HEALTH, "rule": "health.family", "title": "Record of a relative opened without care"}
    now = datetime.now(UTC)
    await journal.ensure_months(now - timedelta(days=500), now)
    await world.tamper("DELETE FROM soc_alert WHERE origin = 'health'")
    assert "No alert on access to health data" in page_text(await anna.get(f"{OPERATOR}/detections"))
    for key, outcome in (("i1", "incident"), ("i2", "incident"), ("f", "false_alarm"), ("e", "expected")):
        case = await world.case(tenant.tenant_id, key, **health)
        await world.closing.propose(world.anna, case.case_id, outcome, "Looked at with the member.")
        await world.closing.confirm(world.ben, case.case_id)
    dismissed, open_ = await world.raise_alerts(tenant.tenant_id, "d", "o", **health)
    await world.dismissals.dismiss(world.anna, [dismissed.alert_id], "expected", "Looked at with the member.")
    await world.triage.open_case(world.anna, [open_.alert_id])
    await world.raise_alerts(tenant.tenant_id, "other", rule="rule-9")
    with use_clock(lambda: now - timedelta(days=450)):
        await world.raise_alerts(tenant.tenant_id, "long ago", **health)
    total, *each = await DetectionResults(world.db).of_year(world.anna)
    (found,) = [one for one in each if one.raised]
    assert (found.detection, found.raised, found.confirmed, found.dismissed) == ("family", 6, 2, 3)
    assert found.precision == 0.4 and (total.raised, total.precision) == (6, 0.4)
    assert [one.raised for one in found.months] == [0] * 11 + [6]
    text = page_text(await anna.get(f"{OPERATOR}/detections"))
    assert "Record of a relative opened without care" in text and "40 %" in text
