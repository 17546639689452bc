"""The pages of requests and tasks, without JavaScript: asked, followed, answered, declined, overdue."""

from dataclasses import replace
from datetime import timedelta

import pytest

from esante.core import clock
from esante.core.time_zone import day_of
from esante.identity.access import requester_of
from esante.services.record.deadlines import service
from tests.support.lifecycle_clock import running_clock
from tests.support.record import letter
from tests.support.record_pages import load_page, main_text, send_form
from tests.support.retention import consume, months

ASK, TASKS, DEPOSITS = "/record/requests", "/tasks", "/operator/deposits"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
async def person(world):
    """A person in whose record the doctor has put a letter."""
    person = await world.person(family="Schmit")
    await deposit(world, person, type="51852-2")
    return person


async def deposit(world, person, **meta):
    content, template = letter()
    given = replace(template, event_date=day_of(clock.now()), **meta)
    await world.record.deposit(world.people["doctor"], person.id, content, given)
    await consume(world, world.record.deposit_tracker.consumer())


async def ask(world, client, status=303, **fields):
    """Send the form of a patient."""
    given = {
        "depositor": str(world.people["doctor"].id),
        "kind": "laboratory_report",
        "care_on": "",
        "note": "",
    } | fields
    return await send_form(client, await load_page(client, ASK), ASK, status, **given)


async def test_patient_asks_doctor_adds_and_both_see_it(world, browse, person):
    patient, doctor = await browse(requester_of(person)), await browse(world.people["doctor"])
    assert "You have not asked for anything yet" in main_text(await load_page(patient, ASK))
    await ask(world, patient, note=HOSTILE)
    asked = await load_page(patient, ASK)
    assert "Waiting for an answer" in main_text(asked) and HOSTILE in main_text(asked)
    tasks = await load_page(doctor, TASKS)
    assert person.name in main_text(tasks)
    (url,) = [url for url in tasks.xpath("//main//a/@href") if url.startswith("/tasks/")]
    task = await load_page(doctor, url)
    assert HOSTILE in main_text(task)
    (add,) = [url for url in task.xpath("//main//a/@href") if url.endswith("/deposit")]
    assert add == f"/patients/{person.id}/deposit"
    await deposit(world, person, type="11502-2")
    answered = await load_page(patient, ASK)
    assert "Added" in main_text(answered)
    assert answered.xpath("//ul[contains(@class,'rows')]//a[starts-with(@href,'/record/')]")
    assert person.name not in main_text(await load_page(doctor, TASKS))
    assert person.name in main_text(await load_page(doctor, f"{TASKS}?done=1"))


async def test_doctor_declines_with_a_reason_that_the_patient_reads(world, browse, person):
    patient, doctor = await browse(requester_of(person)), await browse(world.people["doctor"])
    await ask(world, patient, kind="imaging_report")
    (url,) = [url for url in (await load_page(doctor, TASKS)).xpath("//main//a/@href") if url.startswith("/tasks/")]
    refused = await send_form(doctor, await load_page(doctor, url), url, 400, reason="other", text=" ")
    assert "too short" in refused.text
    await send_form(doctor, await load_page(doctor, url), url, reason="other", text="The films are with the hospital")
    shown = main_text(await load_page(patient, ASK))
    assert "Declined" in shown and "The films are with the hospital" in shown
    assert "(Marc Muller)" in main_text(await load_page(doctor, url))
    assert not (await load_page(doctor, url)).xpath(f"//form[@action='{url}']")


@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        ({"depositor": ""}, 400, "Choose whom you ask"),
        ({"kind": "x"}, 400, "Choose which document you need"),
        ({"care_on": "2999-01-01"}, 400, "in the future"),
        ({"care_on": "yesterday"}, 400, "not a valid day"),
        ({"note": "x" * 301}, 400, "too long"),
    ],
)
async def test_refused_request_says_why_and_keeps_what_was_written(world, browse, person, fields, status, text):
    patient = await browse(requester_of(person))
    answer = await ask(world, patient, status, **{"note": "of last week"} | fields)
    assert text in answer.text
    assert ("of last week" in answer.text) is ("note" not in fields)


async def test_request_can_be_withdrawn_and_not_that_of_another(world, browse, person):
    patient, other = await browse(requester_of(person)), await browse(requester_of(await world.person()))
    await ask(world, patient)
    page = await load_page(patient, ASK)
    (action,) = [form.action for form in page.forms if form.action.endswith("/withdraw")]
    foreign = await browse(requester_of(await world.person()), with_token=True)
    assert (await foreign.post(action)).status_code == 404
    await send_form(patient, page, action)
    assert "Withdrawn" in main_text(await load_page(patient, ASK))
    assert "Nobody to ask yet" in main_text(await load_page(other, ASK))


async def test_overdue_request_is_shown_to_both_and_the_operator(world, browse, person):
    await ask(world, await browse(requester_of(person)))
    with running_clock(clock.now() + timedelta(days=16)) as now:
        await months(world, now.at)
        for who, url in (
            (requester_of(person), ASK),
            (world.people["doctor"], TASKS),
            (world.people["operator"], f"{DEPOSITS}?show=overdue&q=mull"),
        ):
            text = main_text(await load_page(await browse(who), url))
            assert "Overdue" in text and "Muller" in text
        operator = await browse(world.people["operator"])
        assert person.name not in (await operator.get(f"{DEPOSITS}?show=overdue")).text
        assert "Nothing found" in main_text(await load_page(operator, f"{DEPOSITS}?show=overdue&q=nobody"))


async def test_lists_have_pages_and_a_search(world, browse, person, monkeypatch):
    monkeypatch.setattr(service, "MAX_OPEN", 50)
    patient, doctor = await browse(requester_of(person)), await browse(world.people["doctor"])
    today = day_of(clock.now())
    for days in range(22):
        await world.record.deadlines.ask(
            requester_of(person), world.people["doctor"].id, "laboratory_report", today - timedelta(days=days)
        )
    for client, url in ((patient, ASK), (doctor, f"{TASKS}?q=schmit")):
        first = await load_page(client, url)
        second = await load_page(client, first.xpath("//a[@rel='next']/@href")[0])
        assert not second.xpath("//a[@rel='next']")
        shown = [len(page.xpath("//ul[contains(@class,'rows')]/li")) for page in (first, second)]
        assert shown[0] == 20 and sum(shown) >= 22
    assert "Nothing found" in main_text(await load_page(doctor, f"{TASKS}?q=nobody"))
    assert "Nothing found" in main_text(await load_page(patient, f"{ASK}?q=nobody"))


async def test_operator_sees_how_punctual_depositors_are(world, browse, person):
    await deposit(world, person, type="18842-5")
    operator = await browse(world.people["operator"])
    page = await load_page(operator, f"{DEPOSITS}?q=muller")
    row = page.xpath("//tr[th[contains(.,'Muller')]]")[0].text_content()
    assert "100 %" in row
    assert page.xpath("//figure//svg | //main//*[@id='punctuality']")
    assert "Nothing found" in main_text(await load_page(operator, f"{DEPOSITS}?q=nobody"))
    await load_page(operator, f"{DEPOSITS}?show=x", 404)


async def test_pages_are_not_there_for_others(world, browse, person):
    await ask(world, await browse(requester_of(person)))
    doctor, other = await browse(world.people["doctor"]), await browse(world.people["other"])
    (url, *_) = [url for url in (await load_page(doctor, TASKS)).xpath("//main//a/@href") if url.startswith("/tasks/")]
    await load_page(other, url, 404)
    for client, place in ((doctor, ASK), (doctor, DEPOSITS), (await browse(requester_of(person)), TASKS)):
        await load_page(client, place, 404)
