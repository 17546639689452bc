"""The pages of the queue: dismissals, suppressions that close what they cover, exercises, explanations."""

from esante.services.soc.alerts.model import Origin
from tests.support.portal_browser import form_values, page_text

OPERATOR, CONTACT = "/operator/soc", "/security"
REASON = "The scanner of the agency did this."


async def post(browser, page, action, fields, *, form):
    """Send fields with the token of a form of a page."""
    token = form_values(page, form)["_csrf"]
    return await browser.http.post(action, data={"_csrf": token} | fields)


async def test_selected_alerts_are_dismissed_from_the_queue_and_a_short_reason_loses_nothing(world, browse):
    tenant, contact = await world.member("Hôpital A")
    one, two = await world.raise_alerts(tenant.tenant_id, "one", "two", rule="rule-a", subject="")
    anna, place = await browse(world.anna), f"{OPERATOR}/alerts?q=rule-a"
    page = await anna.get(place)
    fields = {"alerts": str(one.alert_id), "outcome": "expected", "reason": "short"}
    refused = await post(anna, page, f"{OPERATOR}/alerts/dismiss", fields, form=f"{OPERATOR}/cases")
    assert refused.status_code == 400 and "This text is too short." in refused.text and ">short</" not in refused.text
    assert "short" in refused.text and f'value="{one.alert_id}" checked' in refused.text
    done = await post(anna, page, f"{OPERATOR}/alerts/dismiss", fields | {"reason": REASON}, form=f"{OPERATOR}/cases")
    assert done.status_code == 303
    assert str(one.alert_id) not in (await anna.http.get(place)).text
    shown = page_text(await (await browse(contact)).get(f"{CONTACT}/alerts?show=dismissed"))
    assert REASON in shown and "Anna" in shown
    page = await anna.get(f"{OPERATOR}/alerts/{one.alert_id}")
    await anna.submit(page, f"{OPERATOR}/alerts/{one.alert_id}/restore")
    text = (await anna.http.get(place)).text
    assert str(one.alert_id) in text and str(two.alert_id) in text


async def test_contact_sees_no_way_to_dismiss_and_is_refused(world, browse):
    tenant, contact = await world.member("Hôpital B")
    (alert,) = await world.raise_alerts(tenant.tenant_id, "one")
    visitor = await browse(contact)
    assert "Dismiss this alert" not in page_text(await visitor.get(f"{CONTACT}/alerts/{alert.alert_id}"))
    answer = await visitor.http.post(f"{OPERATOR}/alerts/dismiss", data={"alerts": str(alert.alert_id)})
    assert answer.status_code in (403, 404)


async def test_suppression_dismisses_what_it_covers_when_asked(world, browse):
    tenant, _ = await world.member("Hôpital C")
    (first,) = await world.raise_alerts(tenant.tenant_id, "one", rule="rule-c")
    anna, place = await browse(world.anna), f"{OPERATOR}/suppressions"
    page = await anna.get(f"{OPERATOR}/alerts/{first.alert_id}")
    await anna.submit(page, place, reason=REASON, days="3", dismiss="expected")
    assert "0 alerts held back" in page_text(await anna.get(f"{place}?q=rule-c"))
    (later,) = await world.raise_alerts(tenant.tenant_id, "two", rule="rule-c")
    page = await anna.get(f"{place}?q=rule-c")
    (action,) = {form.get("action") for form in page.forms if form.get("action", "").endswith("/dismiss")}
    assert "Dismiss 1 alert" in page_text(page)
    await anna.submit(page, action, outcome="false_alarm")
    text = page_text(await anna.get(f"{OPERATOR}/alerts/{later.alert_id}"))
    assert "False alarm" in text and REASON in text


async def test_exercise_is_marked_on_every_page(world, browse):
    tenant, contact = await world.member("Cabinet D")
    anna, place = await browse(world.anna), f"{OPERATOR}/exercises"
    assert "There has been no exercise yet" in page_text(await anna.get(f"{place}?cursor="))
    page = await anna.get(place)
    fields = {"tenant": str(tenant.tenant_id), "playbook": "phishing", "title": "A strange message", "subject": "pc-1"}
    refused = await anna.submit(page, place, 400, **fields | {"title": "x"})
    assert "pc-1" in refused.text
    done = await anna.submit(page, place, **fields)
    alert = done.headers["location"]
    page = await anna.get(alert)
    assert "This is an exercise" in page_text(page)
    case = (await anna.submit(page, f"{OPERATOR}/cases")).headers["location"].partition("?")[0]
    visitor, own = await browse(contact), case.replace(OPERATOR, CONTACT)
    for browser, url in (
        (anna, place),
        (anna, case),
        (anna, f"{OPERATOR}/cases?q=strange"),
        (anna, f"{case}/duties"),
        (anna, f"{OPERATOR}/timeline?q=strange"),
        (visitor, CONTACT),
        (visitor, own),
        (visitor, f"{CONTACT}/cases"),
    ):
        assert "xercise" in page_text(await browser.get(url)).split("Alerts of exercises")[-1].replace(
            "Exercises", ""
        ), url


async def test_alert_on_access_to_health_data_shows_every_sentence_in_the_language(world, browse):
    tenant, contact = await world.member("Hôpital E")
    values = {
        "user": "Dr A", "organization": "Hôpital E", "day": "2026-05-04", "opened": 3, "score": 70,
        "further": [{"why": "No care is known that explains it.", "values": {}}],
    }  # fmt: skip
    (alert,) = await world.raise_alerts(
        tenant.tenant_id, "one", origin=Origin.HEALTH, why="A contact on %(day)s.", values=values
    )
    visitor = await browse(contact)
    text = page_text(await visitor.get(f"{CONTACT}/alerts/{alert.alert_id}"))
    assert "A contact on" in text and "No care is known that explains it." in text and "2026-05-04" not in text
