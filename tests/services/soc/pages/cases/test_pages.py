"""The pages of operators and contacts: from an alert to a notification that is sent, each without JavaScript."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from esante.core.clock import use_clock
from esante.core.storage import uuid7
from esante.identity.access import Requester
from esante.services.soc.cases.model import QueueFilter
from esante.services.soc.pages.cases.fact_form import show_moment
from tests.support.portal_browser import form_values, page_text

OPERATOR, CONTACT = "/operator/soc", "/security"
HOSTILE = "<script>alert(1)</script>\"'{{7*7}}%(x)s 100 %"
PARTS = ("overview", "steps", "evidence", "timeline")


async def test_operator_goes_from_the_queue_to_a_case_that_two_people_close(world, browse):
    tenant, _ = await world.member("Hôpital A")
    await world.raise_alerts(tenant.tenant_id, "a", "b", techniques=("T1566",))
    anna, ben = await browse(world.anna), await browse(world.ben)
    page = await anna.get(f"{OPERATOR}/alerts")
    assert "Open a case with 2 alerts" in page_text(page)
    done = await anna.submit(page, f"{OPERATOR}/cases")
    place = done.headers["location"].partition("?")[0]
    page = await anna.get(place)
    assert "Phishing" in page_text(page)
    await anna.submit(page, f"{place}/take")
    for action, fields in (
        ("notes", {"text": "Called them."}),
        ("change", {"title": "Phishing at A", "severity": "4", "tlp": "green"}),
        ("closing", {"outcome": "false_alarm", "summary": "A test of the member itself."}),
    ):
        await anna.submit(await anna.get(place), f"{place}/{action}", **fields)
    assert "second person" in page_text(await anna.get(place))
    await ben.submit(await ben.get(place), f"{place}/closing/confirm")
    text = page_text(await ben.get(place))
    assert "Closed" in text and "TLP:GREEN" in text and "Phishing at A" in text
    await ben.submit(await ben.get(place), f"{place}/reopen", reason="It came again.")
    for part in (*PARTS, "response"):
        await ben.get(f"{place}?show={part}")
    assert "It came again." in page_text(await ben.get(f"{place}?show=timeline"))


async def test_first_approver_gets_the_refusal_of_a_second_confirmation_in_words(world, browse):
    tenant, _ = await world.member("Hôpital B")
    case = await world.case(tenant.tenant_id)
    await world.closing.propose(world.anna, case.case_id, "expected", "It was a planned test.")
    anna, place = await browse(world.anna), f"{OPERATOR}/cases/{case.case_id}"
    token = form_values(await anna.get(place), f"{place}/closing/decline")["_csrf"]
    refused = await anna.http.post(f"{place}/closing/confirm", data={"_csrf": token})
    assert refused.status_code == 409 and "A second person has to close the case." in refused.text


async def test_contact_does_the_step_of_the_practice_page_and_sees_the_next(world, browse):
    tenant, contact = await world.member("Cabinet C")
    await world.case(tenant.tenant_id, playbook="phishing")
    visitor = await browse(contact)
    page = await visitor.get(CONTACT)
    text = page_text(page)
    assert "What happened" in text and "Keep the message." in text and "Call us" in text
    assert page.xpath("//a[starts-with(@href, 'tel:')]")
    action = next(form.get("action") for form in page.forms if form.get("action", "").endswith("/done"))
    await visitor.submit(page, action)
    for _ in range(3):
        page = await visitor.get(CONTACT)
        await visitor.submit(page, action, state="not_applicable", reason="Not with us.")
    assert "You have done everything" in page_text(await visitor.get(CONTACT))


async def test_contact_without_cases_sees_that_there_is_nothing_to_do(world, browse):
    _, contact = await world.member("Cabinet D")
    visitor = await browse(contact)
    assert "There is nothing to do" in page_text(await visitor.get(CONTACT))
    for path in ("alerts", "cases", "cases?show=closed", "duties"):
        await visitor.get(f"{CONTACT}/{path}")


async def test_facts_bring_duties_whose_notification_two_people_approve_and_one_marks_as_sent(world, browse, tmp_path):
    tenant, contact = await world.member("Hôpital E")
    case = await world.case(tenant.tenant_id, playbook="ransomware")
    place = f"{OPERATOR}/cases/{case.case_id}/duties"
    anna, visitor = await browse(world.anna), await browse(contact)
    page = await anna.get(place)
    assert "The facts have not been stated yet" in page_text(page)
    known = show_moment(datetime.now(UTC) - timedelta(hours=2))
    fields = {"detected_at": known, "aware_at": known, "severe_disruption": "yes", "outage_minutes": "90"}
    await anna.submit(page, place, **fields, personal_data="yes", data_risk="high", loss_eur="1 200,50")
    text = page_text(await anna.get(place))
    for duty in ("Early warning", "Incident notification", "Notification of a personal data breach", "Without undue"):
        assert duty in text
    assert "Draft regulation ILR N26" in text and "not checked against the text of the law" in text
    own = f"{place}/early_warning"
    await anna.submit(await anna.get(own), f"{own}/draft", language="de")
    page = await anna.get(own)
    values = form_values(page, own)
    refused = await anna.submit(page, f"{own}/approve", status=409)
    assert "The text is not complete." in refused.text
    await anna.submit(page, own, **{key: text.replace("[…]", "Dr. Muster") for key, text in values.items()})
    await anna.submit(await anna.get(own), f"{own}/approve")
    there = own.replace(OPERATOR, CONTACT)
    await visitor.submit(await visitor.get(there), f"{there}/approve")
    for file, begin in (("notification.pdf", b"%PDF-"), ("notification.json", b"{")):
        assert (await visitor.http.get(f"{there}/{file}")).content.startswith(begin)
    await visitor.submit(await visitor.get(there), f"{there}/sent", receipt="SERIMA-1")
    assert "SERIMA-1" in page_text(await anna.get(own))
    assert "Early warning" not in page_text(await anna.get(f"{OPERATOR}/duties"))


async def test_late_notification_is_shown_in_words_and_needs_a_reason(world, browse):
    tenant, _ = await world.member("Hôpital F")
    case = await world.case(tenant.tenant_id)
    anna, place = await browse(world.anna), f"{OPERATOR}/cases/{case.case_id}/duties"
    known = show_moment(datetime.now(UTC) - timedelta(days=4))
    fields = {"detected_at": known, "aware_at": known, "personal_data": "yes", "data_risk": "risk"}
    await anna.submit(await anna.get(place), place, **fields)
    assert "Late since" in page_text(await anna.get(f"{OPERATOR}/duties"))
    own = f"{place}/breach_notification"
    await anna.submit(await anna.get(own), f"{own}/draft", language="en")
    page = await anna.get(own)
    values = form_values(page, own)
    await anna.submit(page, own, **{key: text.replace("[…]", "known") for key, text in values.items()})
    await anna.submit(await anna.get(own), f"{own}/approve")
    ben = await browse(world.ben)
    await ben.submit(await ben.get(own), f"{own}/approve")
    page = await ben.get(own)
    assert "delay_reason" in form_values(page, f"{own}/sent")
    await ben.submit(page, f"{own}/sent", status=400, receipt="CNPD-9")
    await ben.submit(page, f"{own}/sent", receipt="CNPD-9", delay_reason="The extent was known late.")
    assert "Sent late" in page_text(await ben.get(own))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("detected_at", "yesterday"),
        ("detected_at", ""),
        ("aware_at", "9999-12-31T23:59"),
        ("outage_minutes", "1e9999"),
        ("outage_minutes", "-1"),
        ("users_out_percent", "101"),
        ("loss_eur", "NaN"),
        ("data_risk", "huge"),
    ],
)
async def test_wrong_fact_is_refused_with_the_form_as_it_was_filled_in(world, browse, field, value):
    tenant, _ = await world.member(f"Hôpital {uuid7()}")
    case = await world.case(tenant.tenant_id)
    anna, place = await browse(world.anna), f"{OPERATOR}/cases/{case.case_id}/duties"
    page = await anna.get(place)
    refused = await anna.submit(page, place, status=400, **{"loss_eur": "77", "deaths": "3", field: value})
    assert 'value="3"' in refused.text
    assert (await world.duties.view(world.anna, case.case_id)).facts is None


async def test_operator_suppresses_ends_it_and_sees_how_much_is_held_back(world, browse):
    tenant, contact = await world.member("Hôpital G")
    [alert] = await world.raise_alerts(tenant.tenant_id, "noise", rule="rule-noise", subject="backup-1")
    anna, place = await browse(world.anna), f"{OPERATOR}/alerts/{alert.alert_id}"
    await anna.submit(await anna.get(place), f"{OPERATOR}/suppressions", reason="The backup does this each night.")
    text = page_text(await anna.get(f"{OPERATOR}/suppressions?q=backup-1"))
    assert "1 alert held back" in text and "Anna" in text
    visitor = await browse(contact)
    assert "Suppressed (1)" in page_text(await visitor.get(f"{CONTACT}/alerts"))
    assert "backup-1" in page_text(await visitor.get(f"{CONTACT}/alerts?show=suppressed"))
    page = await anna.get(f"{OPERATOR}/suppressions?q=backup-1")
    [action] = {form.get("action") for form in page.forms if str(form.get("action")).endswith("/end")}
    await anna.submit(page, action)
    assert "backup-1" in page_text(await visitor.get(f"{CONTACT}/alerts"))


async def test_hostile_texts_are_shown_as_they_are(world, browse):
    tenant, contact = await world.member("Hôpital H")
    case = await world.case(tenant.tenant_id, title=HOSTILE, subject=HOSTILE, why=HOSTILE, values={"a": 1})
    await world.cases.note(contact, case.case_id, HOSTILE)
    await world.evidence.add(contact, case.case_id, HOSTILE, HOSTILE, b"x")
    [alert] = (await world.cases.view(contact, case.case_id)).alerts
    anna, visitor = await browse(world.anna), await browse(contact)
    for browser, base in ((anna, OPERATOR), (visitor, CONTACT)):
        place = f"{base}/cases/{case.case_id}"
        for path in (f"{base}/alerts/{alert.alert_id}", *(f"{place}?show={part}" for part in PARTS)):
            page = await browser.get(path)
            assert HOSTILE.split()[0] in page_text(page)
            assert not page.xpath("//main//script")
    assert (await visitor.http.get(f"{CONTACT}/cases/{case.case_id}/evidence/2")).content == b"x"


async def test_pages_of_one_member_are_the_same_bytes_with_and_without_another_member(world, browse):
    tenant, contact = await world.member("Hôpital I")
    case = await world.case(tenant.tenant_id, "one", "two", playbook="ransomware")
    await world.raise_alerts(tenant.tenant_id, "waiting")
    [alert] = (await world.triage.queue(contact, QueueFilter())).items
    visitor = await browse(contact)
    place = f"{CONTACT}/cases/{case.case_id}"
    paths = [CONTACT, f"{CONTACT}/alerts", f"{CONTACT}/alerts?q=shadow", f"{CONTACT}/alerts/{alert.alert_id}"]
    paths += [
        f"{CONTACT}/alerts?show=suppressed",
        f"{CONTACT}/cases",
        f"{CONTACT}/cases?show=closed",
        f"{CONTACT}/duties",
    ]
    paths += [*(f"{place}?show={part}" for part in PARTS), f"{place}/duties", f"{place}?show=evidence&check=yes"]
    now = datetime.now(UTC)
    with use_clock(lambda: now):
        before = [(await visitor.http.get(path)).content for path in paths]
        other, stranger = await world.member("Hôpital J")
        foreign = await world.case(other.tenant_id, "one", "two", "three", playbook="phishing")
        await world.raise_alerts(other.tenant_id, "waiting", "more")
        await world.cases.note(stranger, foreign.case_id, "A note of another member.")
        await world.suppressions.suppress(
            world.anna, rule="rule-1", subject="", tenant_id=other.tenant_id, days=3, reason="Known at the other."
        )
        after = [(await visitor.http.get(path)).content for path in paths]
    assert before == after


async def test_page_of_another_member_and_unknown_page_are_the_same_refusal(world, browse):
    _, contact = await world.member("Hôpital K")
    other, _ = await world.member("Hôpital L")
    case = await world.case(other.tenant_id)
    [alert] = (await world.cases.view(world.anna, case.case_id)).alerts
    visitor = await browse(contact)
    foreign = [f"{CONTACT}/cases/{case.case_id}", f"{CONTACT}/alerts/{alert.alert_id}"]
    foreign += [f"{foreign[0]}/duties", f"{foreign[0]}/evidence/1", f"{foreign[0]}/duties/early_warning"]
    for path in foreign:
        unknown = path.replace(str(case.case_id), str(uuid7())).replace(str(alert.alert_id), str(uuid7()))
        answers = [await visitor.http.get(one) for one in (path, unknown)]
        assert [one.status_code for one in answers] == [404, 404]
        bodies = [re.sub(r'href="/lang/[^"]*"', "", one.text) for one in answers]
        assert bodies[0] == bodies[1]


async def test_pages_are_refused_to_whoever_is_no_operator_and_no_contact(world, browse):
    tenant, contact = await world.member("Hôpital M")
    organization = await world.directory.organization(tenant.organization_id)
    colleague = await world.professional(organization)
    patient = Requester(kind="patient", id=uuid7(), name="Somebody")
    for requester in (colleague, patient):
        visitor = await browse(requester)
        for path in (CONTACT, f"{CONTACT}/alerts", f"{CONTACT}/cases", f"{CONTACT}/duties"):
            assert (await visitor.http.get(path)).status_code in (303, 403, 404)
    visitor = await browse(contact)
    for path in (f"{OPERATOR}/alerts", f"{OPERATOR}/cases", f"{OPERATOR}/suppressions", f"{OPERATOR}/playbooks"):
        assert (await visitor.http.get(path)).status_code in (303, 403, 404)
