"""The main journey in real browsers: from the letter of a hospital to the proof of who read it."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser

from esante.core.web import COOKIE, translator
from esante.demo.population.signin_personas import PATIENTS
from tests.support.demo_server import DemoServer
from tests.support.submissions import build_discharge_letter, build_iti65_transaction
from tests.support.visitors import Visitor, download_file, open_visitor

pytestmark = pytest.mark.browser

DOCTOR, SECOND, OPERATOR = "Dr Hélène Spécimen", "Dr Tom Notfall", "Olivia Opérateur"
REVIEWED = "The emergency access of %(actor)s was reviewed by %(agency)s: it was justified."
REASON = "Bewusstlos nach Sturz, Angehörige nicht erreichbar"
TITLE, TEXT = "Austrittsbericht der Inneren Medizin", "Entlassung bei gutem Befinden; Kontrolle in zwei Wochen."


async def test_letter_is_deposited_shared_read_logged_and_proved(
    demo: DemoServer, browser: Browser, tmp_path: Path
) -> None:
    persona = patient_without(demo, DOCTOR, SECOND)
    language = {"pt": "fr"}.get(persona.languages[0], persona.languages[0])
    await deposit_as_hospital(demo, persona.name)
    async with (
        open_visitor(browser, demo.base, language) as patient,
        open_visitor(browser, demo.base, "fr") as doctor,
        open_visitor(browser, demo.base, "de") as second,
        open_visitor(browser, demo.base, "en") as operator,
    ):
        await patient.sign_in(persona.name)
        assert await patient.page.locator("html").get_attribute("lang") == language
        cookies = {cookie["name"]: cookie for cookie in await patient.page.context.cookies()}
        assert (cookies[COOKIE]["httpOnly"], cookies[COOKIE]["sameSite"]) == (True, "Lax")
        letter = await open_letter_from_notice(patient)
        hidden = await hide_another_document(patient)
        code = await issue_code(patient)

        await doctor.sign_in(DOCTOR)
        record = await redeem_code(doctor, code)
        await assert_visible_documents_follow_the_rules(demo, doctor, persona.name, hidden)
        await read_letter(doctor, record, letter)
        assert (await doctor.page.request.get(f"{demo.base}{record}/documents/{hidden}")).status == 404

        await second.sign_in(SECOND)
        await declare_emergency(second, demo.person(persona.name), persona.born.isoformat())
        await read_letter(second, record, letter)
        await assert_emergency_is_announced(patient)
        await assert_log_is_in_plain_words(patient)
        await verify_proof(patient, tmp_path)

        await operator.sign_in(OPERATOR)
        await review_emergency(operator)
        review_notice = patient.translate(REVIEWED).partition("%(actor)s")[0].strip()
        await patient.reload_until("/notices", patient.page.locator("main li.entry", has_text=review_notice))
        for visitor in (patient, doctor, second, operator):
            assert visitor.console_errors == []


def patient_without(demo: DemoServer, *doctors: str) -> Any:
    """Return the first patient persona whose record none of the doctors may open."""
    known = [identifier["value"] for name in doctors for identifier in demo.person(name)["patients"]]
    return next(persona for persona in PATIENTS if demo.person(persona.name)["identifiers"][0]["value"] not in known)


async def deposit_as_hospital(demo: DemoServer, name: str) -> None:
    """Deposit a letter over the API (ITI-65), with a token for the key of the hospital's software."""
    identifier = demo.person(name)["identifiers"][0]
    given, _, family = name.partition(" ")
    subject_patient = {"identifier": [identifier], "name": [{"family": family, "given": [given]}]}
    async with await demo.software_client() as http:
        found = (await http.get("/fhir/Patient", params={"identifier": "|".join(identifier.values())})).json()
        subject = {"reference": f"Patient/{found['entry'][0]['resource']['id']}"}
        letter = build_discharge_letter(subject_patient, TEXT, title=TITLE)
        response = await http.post("/fhir", json=build_iti65_transaction(subject, letter))
        assert response.status_code == 200, response.text
        created = [entry for entry in response.json()["entry"] if entry.get("resource")]
        url = created[0]["resource"]["content"][0]["attachment"]["url"]
        assert created[0]["response"]["status"].startswith("201")
        stored = await http.get(url)
        assert stored.status_code == 200
        assert stored.json() == letter


async def open_letter_from_notice(patient: Visitor) -> str:
    """Open the letter from the notice on the home page; return its key."""
    notice = patient.page.locator("section[aria-labelledby=new] a[href^='/notices/']", has_text="Kirchberg").first
    await patient.reload_until("/", notice)
    await notice.click()
    await patient.page.get_by_role("heading", level=1, name=TITLE).wait_for()
    assert TEXT in await patient.text()
    return patient.page.url.rpartition("/")[2]


async def hide_another_document(patient: Visitor) -> str:
    """Hide a document of another organisation; return its key."""
    await patient.link("My record").click()
    rows = patient.page.locator("main li.entry", has_not_text="Kirchberg")
    await rows.locator("a").first.click()
    await patient.page.locator("#who").wait_for()
    await patient.open_details("Change")
    await patient.page.get_by_label(patient.translate("Only me")).check()
    await patient.page.locator("input[name=risk]").check()
    await patient.button("Save").click()
    await patient.page.locator(".badge", has_text=patient.translate("Only you")).wait_for()
    return patient.page.url.rpartition("/")[2]


async def issue_code(patient: Visitor) -> str:
    """Issue a presence code for 24 hours; return it as the page shows it."""
    await patient.link("Sharing").click()
    day = translator(patient.language).ngettext("%(num)s hour", "%(num)s hours", 24) % {"num": 24}
    assert await patient.page.get_by_label(day).is_checked()
    await patient.button("Create a code").click()
    code = await patient.page.locator(".code").inner_text()
    assert re.fullmatch(r"[A-Z0-9]{4}-[A-Z0-9]{4}", code)
    assert code not in patient.page.url
    return code


async def redeem_code(doctor: Visitor, code: str) -> str:
    """Redeem a code in lower case and without a dash; return the path of the record."""
    await doctor.link("Patients").click()
    await doctor.page.get_by_label(doctor.translate("Patient's presence code")).fill(code.lower().replace("-", " "))
    await doctor.button("Open the record").click()
    await doctor.page.locator(".banner").wait_for()
    banner = await doctor.page.locator(".banner").inner_text()
    assert doctor.translate("Access by code") in banner
    return doctor.page.url.removeprefix(doctor.base)


async def assert_visible_documents_follow_the_rules(demo: DemoServer, doctor: Visitor, name: str, hidden: str) -> None:
    """Assert that a code shows everything neither hidden nor restricted, and documents of the doctor's own hospital."""
    expected = set()
    identifier = "|".join(demo.person(name)["identifiers"][0].values())
    url = str(httpx.URL("/fhir/DocumentReference", params={"patient.identifier": identifier, "status": "current"}))
    async with demo.http(name) as http:
        while url:
            page = (await http.get(url)).json()
            for entry in page["entry"]:
                found = entry["resource"]
                own = "Kirchberg" in found.get("custodian", {}).get("display", "")
                if found["securityLabel"][0]["coding"][0]["code"] == "N" or own:
                    expected.add(found["id"][32:])
            url = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")
    assert hidden.replace("-", "") not in expected
    visible: set[str] = set()
    while True:
        links = await doctor.page.locator("main li.entry a").evaluate_all("all => all.map(a => a.pathname)")
        visible |= {link.rpartition("/")[2].replace("-", "") for link in links}
        older = doctor.page.locator("a[rel=next]")
        if not await older.count():
            break
        await doctor.open(str(await older.get_attribute("href")))
    assert visible == expected


async def read_letter(doctor: Visitor, record: str, letter: str) -> None:
    """Open the letter from the list of documents."""
    await doctor.open(record)
    await doctor.link(TITLE, translated=False).click()
    await doctor.page.get_by_role("heading", level=1, name=TITLE).wait_for()
    assert TEXT in await doctor.text()
    assert doctor.page.url.endswith(letter)


async def declare_emergency(second: Visitor, person: dict[str, Any], born: str) -> None:
    """Declare an emergency with a reason."""
    await second.link("Emergency access").click()
    await second.page.locator("[name=identifier]").fill(person["identifiers"][0]["value"])
    await second.page.locator("[name=birth_date]").fill(born)
    await second.page.locator("[name=reason]").fill(REASON)
    await second.page.locator("[name=confirmed]").check()
    await second.button("Open the record now").click()
    await second.page.locator(".banner.danger").wait_for()
    assert second.translate("Emergency access") in await second.page.locator(".banner").inner_text()


async def assert_emergency_is_announced(patient: Visitor) -> None:
    """Assert that the home page shows the emergency first, with a link to the log."""
    alarm = patient.page.locator("section[role=alert]", has_text=SECOND).first
    await patient.reload_until("/", alarm)
    assert SECOND in await alarm.inner_text()
    await alarm.get_by_role("link", name=patient.translate("See what was viewed")).click()
    await patient.page.wait_for_url(f"{patient.base}/log")


async def assert_log_is_in_plain_words(patient: Visitor) -> None:
    """Assert that the log says who, what and why in the patient's language, without keys or placeholders."""
    lines = await patient.page.locator("main .timeline > li").all_inner_texts()
    log_text = "\n".join(lines)
    unfolded = "\n".join(await patient.page.locator("main .timeline > li").all_text_contents())
    for name in (DOCTOR, SECOND):
        assert (
            patient.translate("%(actor)s opened a document: %(categories)s.")
            % {
                "actor": name,
                "categories": patient.translate("Discharge letter"),
            }
            in unfolded
        )
    assert patient.translate("Reason given: %(reason)s", reason=REASON) in log_text
    assert all(line.strip() for line in lines)
    assert not re.search(r"%\(|None|[a-z]+_[a-z]+|\b[a-z]+\.[a-z]+\b|[0-9a-f]{8}-[0-9a-f]{4}", log_text), log_text


async def verify_proof(patient: Visitor, folder: Path) -> None:
    """Verify the proof in the browser and with plain Python; an altered proof is rejected by both."""
    await patient.link("Get the proof and check it").click()
    await patient.button("Prepare the proof").click()
    await patient.button("Check the proof").click()
    verdict = patient.translate("Your access history is complete and unaltered.")
    await patient.page.get_by_text(verdict).wait_for()
    proof = await download_file(patient, patient.link("Download the proof"), folder)
    verifier = await download_file(patient, patient.link("Download the verification program"), folder)
    assert (proof.name, verifier.name) == ("proof.json", "verifier.py")
    python = str(shutil.which("python3"))
    done = subprocess.run([python, "-I", "-S", verifier, proof], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "VERIFIED" in done.stdout
    assert REASON in proof.read_text("utf-8")
    proof.write_text(proof.read_text("utf-8").replace(REASON, REASON.upper()), "utf-8")
    done = subprocess.run([python, "-I", "-S", verifier, proof], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert not done.stdout.startswith("VERIFIED")
    await patient.page.locator("[data-check-file]").set_input_files(proof)
    await patient.page.get_by_text(patient.translate("The proof could not be confirmed.")).wait_for()
    assert not await patient.page.get_by_text(verdict).is_visible()


async def review_emergency(operator: Visitor) -> None:
    """Review the emergency as the operator."""
    await operator.link("Reviews").click()
    await operator.page.locator("main li.entry", has_text=REASON).get_by_role("link").first.click()
    await operator.page.get_by_label(operator.translate("Justified"), exact=True).check()
    await operator.button("Finish the review").click()
    await operator.page.wait_for_url(f"{operator.base}/operator/reviews")
    await operator.open("/operator/reviews?done=1")
    assert REASON in await operator.text()
