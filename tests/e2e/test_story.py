"""The story that must work, driven in real browsers: from a hospital's letter to the proof of who read it."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser

from esante.core.web import COOKIE
from esante.demo.population.signin_personas import PATIENTS
from tests.e2e.browsers import Visitor, saved, visiting
from tests.e2e.demos import Demo
from tests.e2e.papers import discharge_letter, provided

pytestmark = pytest.mark.browser

DOCTOR, SECOND, OPERATOR = "Dr Hélène Spécimen", "Dr Tom Notfall", "Olivia Opérateur"
REASON = "Bewusstlos nach Sturz, Angehörige nicht erreichbar"
TITLE, TEXT = "Austrittsbericht der Inneren Medizin", "Entlassung bei gutem Befinden; Kontrolle in zwei Wochen."


async def test_from_the_hospitals_letter_to_the_proof_of_who_read_it(
    demo: Demo, browser: Browser, tmp_path: Path
) -> None:
    patient = patient_without(demo, DOCTOR, SECOND)
    language = {"pt": "fr"}.get(patient.languages[0], patient.languages[0])
    await hospital_deposits(demo, patient.name)
    async with (
        visiting(browser, demo.base, language) as she,
        visiting(browser, demo.base, "fr") as doctor,
        visiting(browser, demo.base, "de") as second,
        visiting(browser, demo.base, "en") as operator,
    ):
        await she.sign_in(patient.name)
        assert await she.page.locator("html").get_attribute("lang") == language
        kept = {cookie["name"]: cookie for cookie in await she.page.context.cookies()}
        assert (kept[COOKIE]["httpOnly"], kept[COOKIE]["sameSite"]) == (True, "Lax")
        letter = await reads_the_letter_she_was_told_of(she)
        hidden = await hides_another_document(she)
        code = await makes_a_code_for_24_hours(she)

        await doctor.sign_in(DOCTOR)
        record = await enters(doctor, code)
        await sees_exactly_what_the_rules_allow(demo, doctor, patient.name, hidden)
        await reads(doctor, record, letter)
        assert (await doctor.page.request.get(f"{demo.base}{record}/documents/{hidden}")).status == 404

        await second.sign_in(SECOND)
        await breaks_the_glass(second, demo.person(patient.name), patient.born.isoformat())
        await reads(second, record, letter)
        await is_told_at_once(she)
        await sees_each_line_in_plain_words(she)
        await verifies_the_proof(she, tmp_path)

        await operator.sign_in(OPERATOR)
        await reviews(operator)
        examined = she.says("The agency has examined an emergency access to your record.")
        await she.finds("/notices", she.page.locator("main li.entry", has_text=examined))
        for visitor in (she, doctor, second, operator):
            assert visitor.complaints == []


def patient_without(demo: Demo, *doctors: str) -> Any:
    """The first of the patients to show whose record none of the doctors may open."""
    known = [identifier["value"] for name in doctors for identifier in demo.person(name)["patients"]]
    return next(patient for patient in PATIENTS if demo.person(patient.name)["identifiers"][0]["value"] not in known)


async def hospital_deposits(demo: Demo, name: str) -> None:
    """The hospital's software signs in with its key and provides a letter over the standard API (ITI-65)."""
    identifier = demo.person(name)["identifiers"][0]
    given, _, family = name.partition(" ")
    about = {"identifier": [identifier], "name": [{"family": family, "given": [given]}]}
    async with await demo.signed_in_software() as http:
        found = (await http.get("/fhir/Patient", params={"identifier": "|".join(identifier.values())})).json()
        subject = {"reference": f"Patient/{found['entry'][0]['resource']['id']}"}
        letter = discharge_letter(about, TEXT, title=TITLE)
        answer = await http.post("/fhir", json=provided(subject, letter))
        assert answer.status_code == 200, answer.text
        made = [entry for entry in answer.json()["entry"] if entry.get("resource")]
        url = made[0]["resource"]["content"][0]["attachment"]["url"]
        assert made[0]["response"]["status"].startswith("201")
        kept = await http.get(url)
        assert kept.status_code == 200
        assert kept.json() == letter


async def reads_the_letter_she_was_told_of(she: Visitor) -> str:
    """The notice on her home page leads to the letter; gives the letter's key."""
    notice = she.page.locator("section[aria-labelledby=new] a[href^='/record/']", has_text="Kirchberg").first
    await she.finds("/", notice)
    await notice.click()
    await she.page.get_by_role("heading", level=1, name=TITLE).wait_for()
    assert TEXT in await she.text()
    return she.page.url.rpartition("/")[2]


async def hides_another_document(she: Visitor) -> str:
    """A letter that came from elsewhere is for nobody but her; gives its key."""
    await she.link("My record").click()
    rows = she.page.locator("main li.entry", has_not_text="Kirchberg")
    await rows.locator("a").first.click()
    await she.page.locator("#who").wait_for()
    await she.unfold("Change")
    await she.page.get_by_label(she.says("Only me")).check()
    await she.button("Save").click()
    await she.page.locator(".badge", has_text=she.says("Only you")).wait_for()
    return she.page.url.rpartition("/")[2]


async def makes_a_code_for_24_hours(she: Visitor) -> str:
    """The code as it stands on her screen."""
    await she.link("Sharing").click()
    assert await she.page.get_by_label(she.says("24 hours")).is_checked()
    await she.button("Make a code").click()
    code = await she.page.locator(".code").inner_text()
    assert re.fullmatch(r"[A-Z0-9]{4}-[A-Z0-9]{4}", code)
    assert code not in she.page.url
    return code


async def enters(doctor: Visitor, code: str) -> str:
    """The doctor types the code carelessly; gives the address of the record."""
    await doctor.link("Patients").click()
    await doctor.page.get_by_label(doctor.says("Code from the patient")).fill(code.lower().replace("-", " "))
    await doctor.button("Open the record").click()
    await doctor.page.locator(".banner").wait_for()
    banner = await doctor.page.locator(".banner").inner_text()
    assert doctor.says("Access by code") in banner
    return doctor.page.url.removeprefix(doctor.base)


async def sees_exactly_what_the_rules_allow(demo: Demo, doctor: Visitor, name: str, hidden: str) -> None:
    """With a code: everything that is neither hidden nor restricted, and what came from his own hospital."""
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
    seen: set[str] = set()
    while True:
        links = await doctor.page.locator("main li.entry a").evaluate_all("all => all.map(a => a.pathname)")
        seen |= {link.rpartition("/")[2].replace("-", "") for link in links}
        older = doctor.page.locator("a[rel=next]")
        if not await older.count():
            break
        await doctor.goes_to(str(await older.get_attribute("href")))
    assert seen == expected


async def reads(doctor: Visitor, record: str, letter: str) -> None:
    """Open the letter from the list."""
    await doctor.goes_to(record)
    await doctor.link(TITLE, translated=False).click()
    await doctor.page.get_by_role("heading", level=1, name=TITLE).wait_for()
    assert TEXT in await doctor.text()
    assert doctor.page.url.endswith(letter)


async def breaks_the_glass(second: Visitor, person: dict[str, Any], born: str) -> None:
    """Without a code, with a reason."""
    await second.link("Emergency").click()
    await second.page.locator("[name=identifier]").fill(person["identifiers"][0]["value"])
    await second.page.locator("[name=birth_date]").fill(born)
    await second.page.locator("[name=reason]").fill(REASON)
    await second.page.locator("[name=confirmed]").check()
    await second.button("Open the record now").click()
    await second.page.locator(".banner.danger").wait_for()
    assert second.says("Emergency access") in await second.page.locator(".banner").inner_text()


async def is_told_at_once(she: Visitor) -> None:
    """Above everything else on her home page; it leads to the log."""
    alarm = she.page.locator("section[role=alert]")
    await she.finds("/", alarm)
    assert SECOND in await alarm.inner_text()
    await alarm.get_by_role("link", name=she.says("See what was opened")).click()
    await she.page.wait_for_url(f"{she.base}/log")


async def sees_each_line_in_plain_words(she: Visitor) -> None:
    """Who, what, when, why: in her language, without a key or a placeholder."""
    lines = await she.page.locator("main .timeline > li").all_inner_texts()
    told = "\n".join(lines)
    for name in (DOCTOR, SECOND):
        assert (
            she.says("%(actor)s opened a document: %(categories)s.")
            % {
                "actor": name,
                "categories": she.says("Discharge letter"),
            }
            in told
        )
    assert she.says("Reason given: %(reason)s", reason=REASON) in told
    assert all(line.strip() for line in lines)
    assert not re.search(r"%\(|None|[a-z]+_[a-z]+|\b[a-z]+\.[a-z]+\b|[0-9a-f]{8}-[0-9a-f]{4}", told), told


async def verifies_the_proof(she: Visitor, folder: Path) -> None:
    """With nothing but the two files and a plain Python; an altered proof is found out."""
    proof = await saved(she, she.link("Download the proof"), folder)
    verifier = await saved(she, she.link("Download the verifier"), folder)
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


async def reviews(operator: Visitor) -> None:
    """The agency looks at the emergency and judges it."""
    await operator.link("Reviews").click()
    await operator.page.locator("main li.entry", has_text=REASON).get_by_role("link").first.click()
    await operator.page.get_by_label(operator.says("Justified"), exact=True).check()
    await operator.button("Finish the review").click()
    await operator.page.wait_for_url(f"{operator.base}/operator/reviews")
    await operator.goes_to("/operator/reviews?done=1")
    assert REASON in await operator.text()
