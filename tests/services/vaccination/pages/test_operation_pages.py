"""The pages of reminders, coverage, lots, stock and calendars: who may see them, and what a wrong request gets."""

import re

import pytest

from esante.core.storage import uuid7
from esante.core.time_zone import today
from esante.identity.access import requester_of
from esante.services.vaccination.coverage.service import Coverages
from esante.services.vaccination.coverage.trials import CalendarTrials
from esante.services.vaccination.pages.calendar_pages import CalendarPages
from esante.services.vaccination.pages.coverage_pages import CoveragePages
from esante.services.vaccination.pages.lot_pages import LotPages
from esante.services.vaccination.pages.reminder_pages import ReminderPages
from esante.services.vaccination.pages.stock_pages import StockPages
from tests.services.vaccination.card.test_service import person_with_doctor
from tests.support.record import BASE
from tests.support.vaccination import BOOSTRIX, catch_up, copied, given, renew

PATIENT = ("/vaccinations/reminders", "/vaccinations/reminders.ics")
DOCTOR = ("/due-vaccinations", "/due-vaccinations?show=overdue", "/vaccine-stock")
OPERATOR = (
    "/operator/vaccinations",
    "/operator/vaccinations.csv?antigen=polio",
    "/operator/vaccine-lots",
    "/operator/vaccine-lots/persons?lot=A1",
    "/operator/vaccine-stock",
    "/operator/vaccine-stock?show=entries",
    "/operator/vaccine-stock?show=breaks",
    "/operator/vaccination-calendar",
)


@pytest.fixture(scope="module")
def app(app, world, forecasts, reminders, recalls, stocks, statistics_key):
    """The pages of the card, with those of this test."""
    coverages = Coverages(world.db, statistics_key)
    trials = CalendarTrials(world.db, world.journal, forecasts, statistics_key)
    pages = [
        ReminderPages(reminders, world.access, BASE),
        CoveragePages(coverages, forecasts, world.access),
        LotPages(recalls, world.access),
        StockPages(stocks, world.access),
        CalendarPages(trials, world.access),
    ]
    app.router.routes[0:0] = [route for page in pages for route in page.routes()]
    return app


async def token(client, url: str) -> str:
    return re.search(r'name="_csrf" value="([^"]+)"', (await client.get(url)).text)[1]


async def send(client, url: str, form_url: str, **fields):
    return await client.post(url, data={"_csrf": await token(client, form_url)} | fields)


async def test_pages_say_that_what_is_due_is_still_worked_out(world, browse, histories, forecasts, cards):
    person, doctor = await person_with_doctor(world)
    await cards.enter(doctor, person.id, [given()])
    own, other = await browse(requester_of(person)), await browse(doctor)
    assert "We are working out which vaccinations are due to you." in (await own.get(PATIENT[0])).text
    assert "We are working out to whom a vaccination is due." in (await other.get(DOCTOR[0])).text
    await catch_up(world, histories, forecasts)
    assert "working out" not in (await own.get(PATIENT[0])).text
    assert "working out" not in (await other.get(DOCTOR[0])).text


async def test_operator_lets_coverage_be_counted_again(world, browse, statistics_key):
    operator = await browse(world.people["operator"])
    url = OPERATOR[0]
    answer = await send(operator, f"{url}/count", url)
    assert answer.status_code == 303 and answer.headers["location"] == f"{url}?saved=count"
    shown = (await operator.get(answer.headers["location"])).text
    assert "Coverage is being counted again." in shown and "Counted on" in shown
    patient = await browse(requester_of(await world.person()))
    refused = await send(patient, f"{url}/count", PATIENT[0])
    assert refused.status_code in (403, 404)


async def test_pages_are_for_those_whom_they_are_for(world, browse):
    person = await world.person()
    visitors = {
        PATIENT: await browse(requester_of(person)),
        DOCTOR: await browse(world.people["surgeon"]),
        OPERATOR: await browse(world.people["operator"]),
    }
    for own, client in visitors.items():
        for urls in visitors:
            for url in urls:
                status = (await client.get(url)).status_code
                assert (status == 200) is (urls is own), (url, own, status)


async def test_reminder_is_chosen_and_the_calendar_file_fetched(world, cards, histories, forecasts, browse):
    person, doctor = await person_with_doctor(world)
    await cards.enter(doctor, person.id, [copied("2001-03-02")])
    await catch_up(world, histories, forecasts)
    patient = await browse(requester_of(person))
    assert "Tetanus" in (await patient.get("/vaccinations/reminders")).text
    file = await patient.get("/vaccinations/reminders.ics")
    assert file.headers["content-type"].startswith("text/calendar") and "BEGIN:VEVENT" in file.text
    answer = await send(patient, "/vaccinations/reminders", "/vaccinations/reminders", wanted="no")
    assert answer.headers["location"].endswith("saved=no")
    assert "Remind me" in (await patient.get("/vaccinations/reminders")).text
    assert (await send(patient, "/vaccinations/reminders", "/vaccinations/reminders", wanted="x")).status_code == 400
    listed = await (await browse(doctor)).get("/due-vaccinations?q=weber")
    assert f"/patients/{person.id}/vaccinations" in listed.text
    assert "Nothing found" in (await (await browse(doctor)).get("/due-vaccinations?q=zzz")).text


async def test_lot_is_found_recalled_and_lifted(world, cards, histories, browse):
    person, doctor = await person_with_doctor(world)
    lot = f"P{uuid7().hex[-6:]}".upper()
    await cards.enter(doctor, person.id, [given(lot=lot)])
    await renew(world, histories)
    operator = await browse(world.people["operator"])
    assert person.name in (await operator.get(f"/operator/vaccine-lots/persons?lot={lot.lower()}")).text
    fields = {"product": BOOSTRIX, "lot": lot, "recalled_on": today().isoformat(), "reason": "why", "source": "letter"}
    place = "/operator/vaccine-lots"
    wrong = await send(operator, place, place, **fields | {"recalled_on": "9999-99-99"})
    assert wrong.status_code == 400 and lot in wrong.text
    assert (await send(operator, place, place, **fields)).status_code == 303
    again = await send(operator, place, place, **fields)
    assert again.status_code == 409 and "recalled already" in again.text
    (path,) = re.findall(r"/operator/vaccine-lots/[-0-9a-f]{36}/lift", (await operator.get(place)).text)
    assert (await send(operator, path, place)).status_code == 303
    assert (await send(operator, path, place)).status_code == 404


async def test_stock_is_entered_and_shown_with_what_is_wrong(world, browse):
    surgeon = await browse(world.people["surgeon"])
    form, key = "/vaccine-stock/delivery", str(uuid7())
    fields = {"product": BOOSTRIX, "lot": "PG77", "quantity": "12", "expires_on": "2027-12-31", "key": key}
    for wrong in ({"quantity": "-3"}, {"quantity": "1e9"}, {"expires_on": "x"}, {"product": "x"}, {"key": "x"}):
        answer = await send(surgeon, form, form, **fields | wrong)
        assert answer.status_code == 400 and "PG77" in answer.text
    for _ in range(2):
        assert (await send(surgeon, form, form, **fields)).status_code == 303
    assert "PG77" in (await surgeon.get("/vaccine-stock")).text
    waste = "/vaccine-stock/waste"
    answer = await send(surgeon, waste, waste, **fields | {"quantity": "13", "note": "broken", "key": str(uuid7())})
    assert answer.status_code == 409
    assert (await surgeon.get("/vaccine-stock/nothing")).status_code == 404
    assert "PG77" in (await (await browse(world.people["operator"])).get("/operator/vaccine-stock?q=pg77")).text


async def test_doctor_without_a_site_has_no_stock(world, browse):
    doctor = await browse(world.people["doctor"])
    assert "signed in for yourself" in (await doctor.get("/vaccine-stock")).text
    assert (await doctor.get("/vaccine-stock/delivery")).status_code == 404


@pytest.mark.parametrize("query", ["from=x", "month=2026-13", "antigen=plague", "by=name", "to=99999", "cursor=-1"])
async def test_wrong_query_of_coverage_is_explained(world, browse, query):
    operator = await browse(world.people["operator"])
    answer = await operator.get(f"/operator/vaccinations?{query}")
    assert answer.status_code == (200 if query.startswith("cursor") else 400)
    assert "<h1>" in answer.text


async def test_file_that_is_no_calendar_is_refused_with_its_place(world, browse):
    operator = await browse(world.people["operator"])
    place = "/operator/vaccination-calendar"
    csrf, names = {"_csrf": await token(operator, place)}, ("calendar.toml", "vaccines.toml")
    for content, said in ((b"\xff\xfe", "UTF-8"), (b"valid_from = 1", "calendar.toml")):
        files = [("files", (name, content)) for name in names]
        answer = await operator.post(place, data=csrf, files=files)
        assert answer.status_code == 400 and said in answer.text
