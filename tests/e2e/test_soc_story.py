"""The SOC in a browser: from a source that an operator adds to a notification that was sent, with real processes.

An operator admits a source and makes its key; `esante soc intake` takes an attack that curl sends over TLS, a rule of
a folder finds it; the operator sees it live, opens a case, follows its playbook, states the facts; two people approve
the early warning. The contact of the practice reads on a phone what to do.
"""

import asyncio
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.async_api import Browser, expect

from esante.core.time_zone import time_zone
from tests.conftest import SHARED
from tests.support.certificates import self_signed
from tests.support.demo_server import DemoServer
from tests.support.page_checks import axe_violations, browser_errors, overflowing_elements
from tests.support.page_tour import DOCTOR, OPERATOR
from tests.support.processes import environment, free_port
from tests.support.visitors import Visitor, open_visitor
from tests.support.windows_events import zipped_events

pytestmark = pytest.mark.browser

COLLEAGUE = "Oskar Operator"
PLACE, CONTACT = "/operator/soc", "/security"
PHONE = {"width": 360, "height": 740}
TITLE = "A script is run by mshta"
RULE = f"""\
title: {TITLE}
id: 5a2c0c5e-0000-4000-8000-00000000000a
level: high
tags: [attack.t1218.005]
logsource: {{product: windows, category: process_creation}}
detection:
  selection: {{CommandLine|contains|all: ['mshta', 'vbscript:Execute']}}
  condition: selection
"""
ATTACK = {
    "Channel": "Microsoft-Windows-Sysmon/Operational",
    "EventID": 1,
    "Hostname": "WORKSTATION5",
    "UtcTime": "2026-05-04 12:00:00.000",
    "User": "THESHIRE\\pgustavo",
    "CommandLine": 'mshta vbscript:Execute("CreateObject(""Wscript.Shell"").Run ""powershell""")',
}
MOST = 400
"""Recorded events that are sent at once."""


@dataclass
class Intake:
    """A running `esante soc intake`: its address, and the certificate that clients trust."""

    url: str
    certificate: Path


@pytest.fixture
def intake(demo: DemoServer, tmp_path: Path) -> Iterator[Intake]:
    """The intake as a process of its own over the demo's database, with a folder of one rule."""
    certificate, key = self_signed(tmp_path, "localhost", "127.0.0.1")
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "mshta.yml").write_text(RULE)
    (rules / "mshta.positive.json").write_text(json.dumps(ATTACK))
    (rules / "mshta.negative.json").write_text(json.dumps({**ATTACK, "CommandLine": "mshta page.hta"}))
    port = free_port()
    variables = environment(
        ESANTE_SOC_CERTIFICATE=str(certificate), ESANTE_SOC_KEY=str(key), ESANTE_SOC_RULES=str(rules)
    )
    command = [sys.executable, "-m", "esante.cli", "soc", "intake"]
    with (tmp_path / "intake.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--https", f"127.0.0.1:{port}", "--data", str(demo.data)], env=variables, stdout=log, stderr=log
        )
    yield Intake(f"https://localhost:{port}", certificate)
    process.terminate()
    process.wait(30)


async def send(intake: Intake, key: str, lines: Path) -> None:
    """Send events by curl over TLS, as the page of the source says; wait until the intake serves."""
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("no curl here")
    command = [curl, "--silent", "--fail-with-body", "--retry", "60", "--retry-delay", "1", "--retry-all-errors"]
    command += ["--cacert", str(intake.certificate), "-H", f"Authorization: Bearer {key}"]
    command += ["-H", "Content-Type: application/x-ndjson", "--data-binary", f"@{lines}", f"{intake.url}/api/events"]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    answer, _ = await process.communicate()
    assert process.returncode == 0, answer


def attack(folder: Path) -> Path:
    """Write the events of the attack as JSON lines: a recorded one with those around it, or one of our own.

    Each has a mark of this run: an event that was sent before raises no second alert.
    """
    recorded = [*zipped_events(SHARED / "data")] or [ATTACK]
    found = next(number for number, one in enumerate(recorded) if "vbscript:Execute" in str(one.get("CommandLine")))
    file = folder / "events.jsonl"
    sent = [one | {"Run": str(uuid4())} for one in recorded[max(0, found - MOST // 2) :][:MOST]]
    file.write_text("\n".join(map(json.dumps, sent)))
    return file


async def check_page(visitor: Visitor) -> None:
    assert await overflowing_elements(visitor.page) == ""
    assert await axe_violations(visitor.page) == []
    assert browser_errors(visitor) == []


async def test_attack_becomes_a_sent_notification(
    demo: DemoServer, browser: Browser, intake: Intake, tmp_path: Path
) -> None:
    lines = attack(tmp_path)
    async with open_visitor(browser, demo.base, "de") as operator, open_visitor(browser, demo.base, "fr") as colleague:
        await operator.sign_in(OPERATOR)
        await colleague.sign_in(COLLEAGUE)
        key = await add_source(operator)
        case = await see_attack_live(operator, intake, key, lines)
        await follow_playbook(operator, case)
        duty = await start_clocks(operator, case)
        await approve_and_send(operator, colleague, duty)
        async with open_visitor(browser, demo.base, "fr", viewport=PHONE) as contact:
            await read_on_a_phone(contact, case)


async def add_source(operator: Visitor) -> str:
    """Add a source to the practice of the doctor, and return its key."""
    await operator.open(f"{PLACE}/members?q=Gare")
    await operator.page.locator("main tbody th a").first.click()
    await operator.page.wait_for_url("**/members/*-*")
    await check_page(operator)
    form = operator.page.locator("form[action$='/sources']")
    if not await form.is_visible():
        await operator.open_details("Add a source")
    await form.locator("[name=name]").fill(f"Workstations {uuid4()}")
    await form.locator("[name=kind]").select_option("windows")
    await form.locator("button").click()
    await operator.page.wait_for_url("**/sources/*")
    await operator.button("Make a key").click()
    secret = await operator.page.locator("#secret").inner_text()
    await check_page(operator)
    await operator.page.goto(operator.page.url)
    assert secret not in await operator.text()
    return secret


async def see_attack_live(operator: Visitor, intake: Intake, key: str, lines: Path) -> str:
    """Send the attack while the overview is open; open the case of its alert, and return its address."""
    await operator.open(PLACE)
    flow = operator.page.locator("#flow .figure")
    waiting = int(re.sub(r"\D", "", await flow.nth(1).inner_text()))
    await send(intake, key, lines)
    await expect(flow.nth(1)).not_to_have_text(str(waiting), timeout=15_000)
    await check_page(operator)
    await flow.nth(1).locator("a").click()
    await operator.page.wait_for_url("**/alerts")
    await operator.page.locator("main a", has_text=TITLE).first.click()
    await operator.page.wait_for_url("**/alerts/*")
    await check_page(operator)
    event = operator.link("Show the event")
    await event.click()
    await operator.page.wait_for_url("**/events/*")
    assert "vbscript:Execute" in await operator.text()
    await check_page(operator)
    await operator.page.go_back()
    await operator.page.locator("form[action$='/cases'] button").first.click()
    await operator.page.wait_for_url("**/cases/*")
    return operator.page.url.partition("?")[0].removeprefix(operator.base)


async def follow_playbook(operator: Visitor, case: str) -> None:
    """Take the case, choose its playbook where it has none, and mark the first step as done."""
    await operator.page.locator("form[action$='/take'] button").click()
    await operator.page.wait_for_url("**saved=take*")
    await operator.open(f"{case}?show=steps")
    if not await operator.page.locator("form[action$='/steps']").count():
        await operator.open(case)
        await operator.page.locator("form[action$='/change']").evaluate("form => form.closest('details').open = true")
        await operator.page.locator("[name=playbook]").select_option("phishing")
        await operator.page.locator("form[action$='/change'] button").click()
        await operator.page.wait_for_url("**saved=change*")
        await operator.open(f"{case}?show=steps")
    await operator.page.locator("form[action$='/steps'] button[value=done]").first.click()
    await expect(operator.page.locator("main progress")).to_have_attribute("value", "1")
    await check_page(operator)


async def start_clocks(operator: Visitor, case: str) -> str:
    """State the facts; return the address of the early warning."""
    await operator.open(f"{case}/duties")
    now = f"{datetime.now(UTC).astimezone(time_zone()):%Y-%m-%dT%H:%M}"
    await operator.page.locator("[name=aware_at]").fill(now)
    await operator.page.locator("[name=severe_disruption]").check()
    await operator.button("Save the facts").click()
    await operator.page.wait_for_url("**saved=facts*")
    duty = f"{case}/duties/early_warning"
    await operator.page.locator(f"a[href='{duty}']").first.click()
    await operator.page.wait_for_url(f"**{duty}")
    await check_page(operator)
    return duty


async def approve_and_send(operator: Visitor, colleague: Visitor, duty: str) -> None:
    """Draft the early warning in French, complete it, let two people approve it, and mark it as sent."""
    await operator.page.locator("[name=language]").select_option("fr")
    await operator.button("Make the draft").click()
    await operator.page.locator("main textarea").first.wait_for()
    for field in await operator.page.locator("main textarea").all():
        text = await field.input_value()
        await field.fill(text.replace("[…]", "Non connu à ce stade"))
    await operator.button("Save the text").click()
    await operator.page.get_by_text(operator.translate("The text has been saved.")).wait_for()
    await operator.button("Approve the text").click()
    await operator.page.get_by_text(operator.translate("Your approval has been saved.")).wait_for()
    await colleague.open(duty)
    await check_page(colleague)
    await colleague.button("Approve the text").click()
    await colleague.page.locator("[name=receipt]").wait_for()
    await colleague.page.locator("[name=receipt]").fill("ILR-2026-0042")
    await colleague.button("Mark as sent").click()
    await colleague.page.get_by_text(colleague.translate("The notification is marked as sent.")).wait_for()
    assert "ILR-2026-0042" in await colleague.text()
    await check_page(colleague)


async def read_on_a_phone(contact: Visitor, case: str) -> None:
    """Let the contact of the practice find the place, read what to do, and do a step."""
    await contact.sign_in(DOCTOR)
    await contact.page.locator("nav.places a[href='/security']").first.wait_for(state="attached")
    await contact.open(CONTACT)
    own = case.replace(PLACE, CONTACT)
    assert contact.translate("What to do now") in await contact.text()
    await check_page(contact)
    for path in ("/overview", "/timeline", "/alerts", "/events", "/members"):
        await contact.open(f"{CONTACT}{path}")
        await check_page(contact)
    await contact.open(own)
    assert TITLE in await contact.text()
    assert (await contact.page.request.get(f"{contact.base}{case}")).status == 404
