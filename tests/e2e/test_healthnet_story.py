"""In a browser: an owner gets a place connected; an operator approves, puts it into quarantine, and rolls a policy back."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser

from esante.contract import Platform
from esante.core.storage import uuid7
from esante.identity.access import Requester, requester_of
from esante.identity.directory import Directory, Identifier
from esante.services.healthnet.controller.service import Controller
from esante.services.healthnet.supervision.policy_view import PolicyView
from esante.settings import Settings
from tests.conftest import create_database
from tests.support.directory_entries import PROVIDER_CODE, a_practitioner
from tests.support.healthnet_agents import FakeAgent
from tests.support.page_checks import axe_violations, browser_errors, overflowing_elements
from tests.support.served_platform import prepare_months, serve_platform, sign_in
from tests.support.visitors import Visitor, download_file, open_visitor

pytestmark = pytest.mark.browser

PHONE = {"width": 360, "height": 740}


@dataclass
class Network:
    """A served platform with a policy in force, two operators, and a doctor with a provider code."""

    platform: Platform
    operator: Requester
    doctor: Requester

    @property
    def base(self) -> str:
        """The address of the server."""
        return self.platform.settings.base_url


@dataclass
class AgentWorld:
    """What an agent of the tests needs: a folder for its keys, and the served platform."""

    folder: Path
    http: httpx.AsyncClient


@asynccontextmanager
async def open_network(folder: Path, dsn: str) -> AsyncIterator[Network]:
    async with serve_platform(Settings(data=folder / "var", database_url=dsn)) as platform:
        await prepare_months(platform)
        await platform[Controller].rollouts.begin(platform[PolicyView].packaged())
        doctor = a_practitioner()
        doctor = replace(doctor, identifiers=(*doctor.identifiers, Identifier(PROVIDER_CODE, "91234567")))
        doctor = await platform[Directory].register_practitioner(doctor)
        yield Network(platform, Requester(kind="operator", id=uuid7(), name="Olga"), requester_of(doctor))


async def see(visitor: Visitor, text: str, **values: object) -> None:
    """Wait until a text is shown, and check the page."""
    await visitor.page.get_by_text(visitor.translate(text, **values)).first.wait_for()
    assert await overflowing_elements(visitor.page) == ""
    assert await axe_violations(visitor.page) == []
    assert browser_errors(visitor) == []


async def ask_for_a_connection(owner: Visitor) -> str:
    """Fill the form, with a wrong telephone number first; return the path of the site's page."""
    await owner.open("/network")
    await see(owner, "None of your places is connected yet")
    await owner.link("Ask for a connection").click()
    for name, value in (
        ("label", "Haaptcabinet"),
        ("line", "1, rue du Test"),
        ("postal_code", "L-1234"),
        ("city", "Mersch"),
        ("contact", "Anne Weber"),
        ("phone", "no number"),
        ("email", "anne@practice.example"),
    ):
        await owner.page.locator(f"[name={name}]").fill(value)
    await owner.button("Send the request").click()
    await see(owner, "This is not a telephone number.")
    assert await owner.page.locator("[name=line]").input_value() == "1, rue du Test"
    await owner.page.locator("[name=phone]").fill("+352 26 12 34")
    await owner.button("Send the request").click()
    await see(owner, "The request has been sent. The agency decides about it.")
    return owner.page.url.removeprefix(owner.base).partition("?")[0]


async def enrol(owner: Visitor, site: str, world: AgentWorld) -> None:
    """Make a token on the page, and let an agent enrol with it and send its first heartbeat."""
    await owner.reload_until(site, owner.button("Make a token"))
    async with asyncio.timeout(30):
        while not await owner.page.locator(
            "textarea[readonly]"
        ).count():  # the network takes over the site in a moment
            await owner.open(site)
            await owner.button("Make a token").click()
            await owner.page.wait_for_load_state()
    await see(owner, "Token of enrolment")
    token = (await owner.page.locator("textarea[readonly]").input_value()).strip()
    assert re.fullmatch(r"hn1\.[0-9a-f-]{36}\.S\d{5}\.[\w-]+", token)
    await owner.open(site)
    assert token not in await owner.page.content()
    agent = FakeAgent(world, token.split(".")[2], token)
    answer = await agent.enrol()
    assert answer.status_code == 200, answer.text
    async with asyncio.timeout(30):
        while (await agent.beat()).status_code != 200:  # the controller knows its key within a second
            await asyncio.sleep(0.3)


async def test_owner_gets_a_place_connected_and_operator_puts_it_into_quarantine(
    browser: Browser, server: str, tmp_path: Path
) -> None:
    async with (
        open_network(tmp_path, await create_database(server)) as network,
        open_visitor(browser, network.base, "lb", viewport=PHONE) as owner,
        open_visitor(browser, network.base, "de") as operator,
    ):
        await sign_in(owner, network.platform, network.doctor)
        await sign_in(operator, network.platform, network.operator)
        site = await ask_for_a_connection(owner)
        await operator.open("/operator/network")
        await see(operator, "Who is connected, how well, and what needs attention.")
        await operator.open("/operator/network/requests")
        await see(operator, "Approve")
        await operator.page.get_by_role("button", name=operator.translate("Approve")).first.click()
        await see(operator, "The request was approved. The owner can enrol the gateway now.")
        async with httpx.AsyncClient(base_url=network.base, timeout=20) as http:
            await enrol(owner, site, AgentWorld(tmp_path, http))
        await owner.reload_until(site, owner.page.get_by_text(owner.translate("Heard by the network")))
        await owner.reload_until(site, owner.page.get_by_text(owner.translate("Heard"), exact=True))
        await see(owner, "Last heard")
        await owner.open(f"{site}?show=figures")
        await see(owner, "Time there and back (mean)")
        await owner.open(f"{site}?show=reach")
        await see(owner, "What is not listed here is blocked.")
        contract = owner.page.get_by_text(owner.translate("In force"), exact=True)
        await owner.reload_until(f"{site}?show=contract", contract)
        pdf = await download_file(owner, owner.page.locator("a[href$='.pdf']"), tmp_path)
        assert pdf.read_bytes().startswith(b"%PDF-")
        await quarantine(operator, site.replace("/network/", "/operator/network/"))
        await owner.open(site)
        await see(owner, "This place is in quarantine")
        await see(owner, "Laboratory results")


async def quarantine(operator: Visitor, site: str) -> None:
    """Put a site into quarantine: two pages that ask."""
    await operator.open(site)
    await operator.link("Put into quarantine…").click()
    await see(operator, "What still works")
    await operator.page.locator("[name=reason]").fill("Malicious software was found at the practice.")
    await operator.button("Continue").click()
    await see(operator, "Are you sure?")
    await operator.button("Yes, put it into quarantine now").click()
    await see(operator, "The change has been saved. It takes effect within seconds.")


async def test_operator_releases_a_policy_with_faults_and_rolls_another_back(
    browser: Browser, server: str, tmp_path: Path
) -> None:
    async with (
        open_network(tmp_path, await create_database(server)) as network,
        open_visitor(browser, network.base, "fr", viewport=PHONE) as operator,
    ):
        await sign_in(operator, network.platform, network.operator)
        await operator.open("/operator/network/policy?from=practice/doctor&to=laboratory&service=laboratory-results")
        await see(operator, "A rule allows it.")
        await operator.open("/operator/network/policy?from=practice/doctor&to=practice/dentist&service=record")
        await see(operator, "The other site does not offer this service.")
        policy = operator.page.locator("[name=policy]")
        text = await policy.input_value()
        await policy.fill(text.replace("reach: laboratories", "reach: laboratoires", 1))
        await operator.button("Check and roll out").click()
        await see(operator, "This policy is refused. Nothing was changed.")
        assert "laboratoires" in await operator.page.locator("[name=policy]").input_value()
        await operator.page.locator("[name=policy]").fill(text.replace("title: National", "title: Other", 1))
        await operator.button("Check and roll out").click()
        await see(operator, "The roll-out has begun. This page shows how far it is.")
        await operator.open_details("Roll back…")
        await operator.page.locator("[name=reason]").fill("Laboratories complain.")
        await operator.button("Roll back now").click()
        await see(operator, "The roll-out was stopped. Sites get the policy of before.")
        await see(operator, "Rolled back")
