"""The choices of a holder in real browsers: organ donation at the first sign-in, a bar with its risk, an opposition."""

import re

import httpx
import pytest
from playwright.async_api import Browser

from esante.core.time_zone import today
from esante.demo.population.signin_personas import PATIENTS
from tests.support.demo_server import DemoServer
from tests.support.submissions import build_pdf
from tests.support.visitors import PHONE, Visitor, open_visitor

pytestmark = pytest.mark.browser

DOCTOR, HOSPITAL = "Dr Paul Exempel", "Hôpital Fictif du Kirchberg"
PATIENT = PATIENTS[-1].name
QUESTION = "A question about organ donation"


async def test_holder_states_bars_and_opposes_and_each_choice_counts(demo: DemoServer, browser: Browser) -> None:
    async with (
        open_visitor(browser, demo.base, "de", viewport=PHONE) as patient,
        open_visitor(browser, demo.base, "fr") as doctor,
    ):
        await patient.sign_in(PATIENT)
        await put_the_question_off(patient)
        await state_organ_donation(patient)
        code = await issue_code(patient)
        await doctor.sign_in(DOCTOR)
        record = await redeem(doctor, code)
        await read_statement(doctor, record)
        await record_opposition(doctor, record)
        await deposit_is_refused(doctor, record)
        await oppose_and_lift(patient)
        await block_with_its_risk(patient)
        await doctor.open(f"{record}/statements")
        assert doctor.translate("Opposes organ donation") not in await doctor.text()
        await history_names_the_risks(patient)
        errors = [error for error in doctor.console_errors if "404" not in error and "403" not in error]
        assert (patient.console_errors, errors) == ([], [])


async def put_the_question_off(patient: Visitor) -> None:
    """Say "not now" to the question of the first sign-in: it is gone, and the home page is there."""
    question = patient.page.get_by_role("heading", name=patient.translate(QUESTION))
    await question.wait_for()
    await patient.button("Not now").click()
    await question.wait_for(state="detached")


async def state_organ_donation(patient: Visitor) -> None:
    """Oppose organ donation on the page of statements, then see it with its day."""
    await patient.open("/record/statements")
    section = patient.page.locator("#organ_donation")
    await section.locator("summary").first.click()
    await section.get_by_label(patient.translate("I oppose it"), exact=True).check()
    await section.get_by_role("button", name=patient.translate("Save"), exact=True).click()
    await section.locator(".badge", has_text=patient.translate("Opposes organ donation")).wait_for()


async def issue_code(patient: Visitor) -> str:
    await patient.open("/sharing")
    await patient.button("Create a code").click()
    return await patient.page.locator(".code").inner_text()


async def redeem(doctor: Visitor, code: str) -> str:
    """Enter a code; return the address of the record."""
    await doctor.open("/patients")
    await doctor.page.locator("input[name=code]").fill(code)
    await doctor.page.locator("form", has=doctor.page.locator("input[name=code]")).locator("button").first.click()
    await doctor.page.wait_for_url(re.compile(r"/patients/[0-9a-f-]{36}"))
    return "/patients/" + doctor.page.url.partition("/patients/")[2][:36]


async def read_statement(doctor: Visitor, record: str) -> None:
    await doctor.open(record)
    await doctor.link("Organ donation, advance directive").click()
    await doctor.page.locator(".badge", has_text=doctor.translate("Opposes organ donation")).wait_for()


async def record_opposition(doctor: Visitor, record: str) -> None:
    """Record on the patient's word that documents of today are not to be added; the box must be selected."""
    await doctor.open(f"{record}/deposit")
    await doctor.open_details("Record that the patient opposes it…")
    await doctor.page.locator("input[name=risk]").check()
    await doctor.button("Record it now").click()
    await doctor.page.get_by_text(doctor.translate("Recorded: the patient opposes it.")).wait_for()


async def deposit_is_refused(doctor: Visitor, record: str) -> None:
    """Try to add a document of today: the doctor is told why, and nothing more."""
    cookies = {cookie["name"]: cookie["value"] for cookie in await doctor.page.context.cookies()}
    await doctor.open(f"{record}/deposit")
    token = await doctor.page.locator("input[name=_csrf]").first.get_attribute("value")
    fields = {"_csrf": token, "type": "51852-2", "title": "Bericht", "date": today().isoformat(), "step": "check"}
    async with httpx.AsyncClient(base_url=doctor.base, cookies=cookies) as http:
        files = {"file": ("report.pdf", build_pdf("Bericht"), "application/pdf")}
        answer = await http.post(f"{record}/deposit", data=fields, files=files, timeout=60)
    assert answer.status_code == 403
    title = "The patient does not want documents of this care to be added to their record."
    assert doctor.translate(title) in answer.text


async def oppose_and_lift(patient: Visitor) -> None:
    """See what the doctor recorded, allow it again, and oppose the documents of a hospital."""
    await patient.open("/sharing")
    section = patient.page.locator("#oppositions")
    await section.locator("summary").first.click()
    await section.get_by_role("button", name=patient.translate("Allow now")).click()
    await section.locator("li.entry").wait_for(state="detached")
    await patient.open(f"/sharing/people?for=oppose&q={HOSPITAL}")
    await patient.open_details("Oppose…")
    await patient.page.locator("input[name=care_until]").first.fill(today().isoformat())
    await patient.page.locator("input[name=risk]").first.check()
    await patient.button("Oppose now").first.click()
    await patient.page.locator("#oppositions", has_text=HOSPITAL).wait_for()


async def block_with_its_risk(patient: Visitor) -> None:
    """Block the doctor: the button does nothing before the risk is confirmed."""
    await patient.open("/sharing/people?for=block&q=Exempel")
    await patient.open_details("Block…")
    await patient.button("Block now").first.click()
    assert "/sharing/people" in patient.page.url
    await patient.page.locator("input[name=risk]").first.check()
    await patient.button("Block now").first.click()
    await patient.page.wait_for_url(f"{patient.base}/sharing")


async def history_names_the_risks(patient: Visitor) -> None:
    await patient.open("/log?kind=sharing")
    text = await patient.text()
    assert text.count(patient.translate("You were told before: %(risk)s", risk="")) >= 3
