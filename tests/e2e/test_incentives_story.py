"""In a browser, from a vendor's registration to an answered appeal: what is paid comes from fee notes of their software.

The clock is moved: the notes are of one quarter, which is decided after its end.
"""

import asyncio
import base64
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from playwright.async_api import Browser

from esante.contract import Platform
from esante.core.clock import use_clock
from esante.core.storage import uuid7
from esante.core.time_zone import today
from esante.identity.access import Access, Requester, SoftwareClient, requester_of
from esante.identity.directory import Directory, Practitioner
from esante.services.billing.payment.payees import Payees
from esante.services.billing.settings import BillingSettings
from esante.services.conformance.declaration import ConformanceSettings
from esante.services.conformance.kits.ra_pid import driver
from esante.services.incentives.schemes.quarter import Quarter
from esante.services.incentives.settings import IncentiveSettings
from esante.settings import Settings
from tests.support.billing_server import CODE, EHEALTH_ID, IBAN, mock, register_biller, register_patients
from tests.support.incentives import DEBTOR_IBAN
from tests.support.lifecycle_clock import MovedClock
from tests.support.page_checks import axe_violations, browser_errors, overflowing_elements
from tests.support.practice_software import Practice, serve_driver
from tests.support.served_platform import prepare_months, serve_platform, sign_in
from tests.support.visitors import Visitor, download_file, open_visitor

pytestmark = pytest.mark.browser

NARROW = {"width": 360, "height": 740}
VENDOR, PRODUCT, CLIENT = "Éditeur d’essai", "Cabinet Essai", "cabinet-essai"
CALLBACK = "http://127.0.0.1:9/callback"
SCOPES = "openid fhirUser user/Claim.cruds user/PaymentReconciliation.rs"
QUARTER = Quarter.of(today()).next
NOTES = 12
SCHEMES = f"""
[[scheme]]
key = "notes"
label = "Digital fee notes"
valid_from = {QUARTER.first}
unit = "document"
evidence = "fee_note"
professions = ["doctor"]
kit = "ra-pid"
threshold = {NOTES}
amount = "0.35"
legal_source = "test"
verified = true

[[scheme]]
key = "connection"
label = "Connecting a practice to digital fee notes, second wave"
valid_from = {QUARTER.first}
unit = "installation"
evidence = "fee_note"
professions = ["doctor"]
kit = "ra-pid"
threshold = 10
amount = "400.00"
legal_source = "test"
verified = true
"""
ADDRESS = {"street": "rue de la Gare", "postal_code": "1611", "city": "Luxembourg", "country": "LU"}
PLACE = "/operator/incentives"


@dataclass
class Country:
    """A served platform with a doctor who bills, patients, two operators, insurance and bank; `clock` moves it."""

    platform: Platform
    clock: MovedClock
    bank: str
    doctor: Practitioner
    matricules: list[str]
    operators: tuple[Requester, Requester]

    @property
    def base(self) -> str:
        """The address of the server."""
        return self.platform.settings.base_url


@asynccontextmanager
async def open_country(folder: Path, dsn: str) -> AsyncIterator[Country]:
    clock = MovedClock(datetime.combine(QUARTER.first + timedelta(days=40), time(9), UTC))
    with (
        use_clock(clock),
        mock("cns", log=folder / "cns.log") as cns,
        mock("bank", log=folder / "bank.log") as bank,
    ):
        billing = BillingSettings(cns_url=cns, bank_url=bank, cns_timeout=5)
        schemes = folder / "schemes.toml"
        schemes.write_text(SCHEMES, "utf-8")
        incentives = IncentiveSettings(
            incentive_schemes=str(schemes), incentive_debtor_name="Agency", incentive_debtor_iban=DEBTOR_IBAN
        )
        own = (billing, incentives, ConformanceSettings(conformance_networks="127.0.0.0/8"))
        settings = Settings(data=folder / "var", database_url=dsn, of_services=own)
        async with serve_platform(settings) as platform:
            await prepare_months(platform)
            directory, payees = platform[Directory], platform[Payees]
            doctor = await register_biller(directory, "Faber", CODE, EHEALTH_ID)
            matricules = await register_patients(directory, NOTES)
            first, second = (Requester(kind="operator", id=uuid7(), name=name) for name in ("Olga", "Oskar"))
            payee = await payees.propose(requester_of(doctor), CODE, IBAN, "Anne Faber")
            await payees.confirm(first, payee.id)
            yield Country(platform, clock, bank, doctor, matricules, (first, second))


async def check_page(visitor: Visitor) -> None:
    assert await overflowing_elements(visitor.page) == ""
    assert await axe_violations(visitor.page) == []
    assert browser_errors(visitor) == []


async def see(visitor: Visitor, text: str, **values: object) -> None:
    """Wait until a text is shown, and check the page."""
    await visitor.page.get_by_text(visitor.translate(text, **values)).first.wait_for()
    await check_page(visitor)


async def fill(visitor: Visitor, **fields: str) -> None:
    for name, text in fields.items():
        await visitor.page.locator(f"[name={name}]").fill(text)


# The vendor


async def register(vendor: Visitor) -> str:
    """Register as a vendor; return the access key."""
    await vendor.open("/")
    await vendor.link("For software vendors").click()
    await fill(vendor, name=VENDOR, contact="Vera Vendor", email="vera@vendor.example")
    await check_page(vendor)
    await vendor.button("Register").click()
    key = await vendor.page.locator(".code-card .mono").inner_text()
    await check_page(vendor)
    return key


async def sign_in_with(vendor: Visitor, key: str) -> None:
    await vendor.open("/vendors")
    await fill(vendor, key=key)
    await check_page(vendor)
    await vendor.button("Sign in").click()
    await vendor.page.wait_for_url(f"{vendor.base}/")


async def register_software(vendor: Visitor) -> None:
    await vendor.open("/vendor/products")
    await fill(vendor, name=PRODUCT)
    await vendor.button("Register").click()
    await fill(vendor, version="7.1", clients=CLIENT)
    await vendor.page.locator("[name=profiles]").first.check()
    await vendor.button("Register").click()
    await see(vendor, "Version %(number)s", number="7.1")


async def run_test(vendor: Visitor, target: str) -> str:
    """Start the test of fee notes, wait for its report, and return its text."""
    assert await vendor.page.locator("[name=target]").input_value() in ("", target)
    await fill(vendor, target=target)
    await vendor.button("Start the test").click()
    await vendor.link("Run again").wait_for(timeout=120_000)
    await check_page(vendor)
    return await vendor.text()


async def check_files(vendor: Visitor, folder: Path) -> None:
    for format_, begin in (("pdf", b"%PDF-"), ("json", b"{"), ("jws", b"eyJ")):
        link = vendor.page.locator(f"a[href$='report.{format_}']")
        assert (await download_file(vendor, link, folder)).read_bytes().startswith(begin)


async def share(vendor: Visitor) -> str:
    """Make a link to the report; return its path."""
    await vendor.button("Make a link").click()
    address = await vendor.page.locator(".callout .mono").inner_text()
    await check_page(vendor)
    assert address.startswith(f"{vendor.base}/software/report#")
    return address.removeprefix(vendor.base)


async def apply(vendor: Visitor) -> None:
    await vendor.open("/vendor/products")
    await vendor.page.locator("main li.entry a").first.click()
    await vendor.open_details("Apply for the label…")
    await vendor.button("Apply").click()
    await see(vendor, "In review")


async def claim(vendor: Visitor) -> None:
    """Claim the doctor's practice, and name the account of the vendor."""
    await vendor.open("/vendor/incentives/claims")
    await fill(vendor, provider_code=CODE)
    await vendor.button("Claim this practice").click()
    await see(vendor, "The claim has been saved. It is decided with the quarter.")
    await vendor.open("/vendor/incentives")
    await name_account(vendor, VENDOR, "LU360029152460050000")


async def name_account(payee: Visitor, holder: str, iban: str) -> None:
    await fill(payee, holder=holder, iban=iban)
    await payee.button("Save the account").click()
    await see(payee, "The account has been saved. It is used once it is confirmed.")


# The operators


async def accept(operator: Visitor) -> None:
    await operator.open("/operator/vendors?q=essai")
    await operator.page.locator("main li.entry a").first.click()
    await operator.open_details("Accept…")
    await operator.button("Accept the vendor").click()
    await see(operator, "Accepted")


async def approve(operator: Visitor) -> None:
    await operator.open("/operator/labels")
    await operator.page.locator("main li.entry a").first.click()
    await operator.open_details("Approve…")
    await check_page(operator)
    await operator.button("Approve the application").click()
    await see(operator, "Approved")


async def decide(operator: Visitor) -> None:
    await operator.open(PLACE)
    await operator.page.locator("[name=quarter]").first.select_option(str(QUARTER))
    await operator.button("Decide this quarter").click()
    waits = operator.page.get_by_text(operator.translate("Another operator has to confirm this decision."))
    await operator.reload_until(f"{PLACE}/quarters/{QUARTER}", waits)
    await check_page(operator)


async def confirm(operator: Visitor) -> None:
    await operator.open(f"{PLACE}/quarters/{QUARTER}")
    await operator.open_details("Confirm the decision")
    await operator.button("Confirm and make the orders").click()
    await see(operator, "The quarter is confirmed. The orders of payment are made.")


async def pay(operator: Visitor, bank: str, folder: Path) -> None:
    """Confirm the accounts, make the file, give it to the bank, and read the bank's answer."""
    await operator.open(f"{PLACE}/payments")
    while await operator.button("Confirm the account").count():
        await operator.button("Confirm the account").first.click()
        await see(operator, "Saved.")
    await operator.open_details("Make the file for the bank")
    await operator.button("Make the file").click()
    await see(operator, "The file has been made. Download it and send it to the bank.")
    file = await download_file(operator, operator.page.locator("a[download]").first, folder)
    async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
        answer = await http.post(f"{bank}/pain001", content=await asyncio.to_thread(file.read_bytes))
    assert answer.status_code == 200, answer.text
    status = {"name": "status.xml", "mimeType": "application/xml", "buffer": answer.content}
    await operator.page.locator("[name=file]").set_input_files(status)  # type: ignore[arg-type]
    await operator.button("Read the answer").click()
    await see(operator, "Paid: %(paid)s. Returned: %(rejected)s.", paid=2, rejected=0)


async def answer(operator: Visitor) -> None:
    await operator.open(f"{PLACE}/appeals")
    form = operator.page.locator("section.card", has_text="Honorarnoten vom Vormonat").locator("form")
    await form.locator("[name=outcome]").select_option("upheld")
    await form.locator("[name=amount]").fill("0,70")
    await form.locator("[name=answer]").fill("Sie haben recht: Zwei Honorarnoten fehlten.")
    await form.locator("button").click()
    await see(operator, "The answer has been sent.")


# The doctor


async def connect(doctor: Visitor) -> str:
    """Let the software act for the doctor (SMART); return its token."""
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    parameters = {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": CALLBACK,
        "scope": SCOPES,
        "state": "here",
        "aud": f"{doctor.base}/fhir",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    await doctor.page.context.route(f"{CALLBACK}**", lambda route: route.fulfill(body="connected"))
    await doctor.open(f"/oauth/authorize?{urlencode(parameters)}")
    assert VENDOR in await doctor.text()
    await check_page(doctor)
    await doctor.button("Allow selected access").click()
    await doctor.page.wait_for_url(f"{CALLBACK}**")
    form = {
        "grant_type": "authorization_code",
        "client_id": CLIENT,
        "code": parse_qs(urlsplit(doctor.page.url).query)["code"][0],
        "redirect_uri": CALLBACK,
        "code_verifier": verifier,
    }
    async with httpx.AsyncClient(base_url=doctor.base, timeout=30, trust_env=False) as http:
        found = (await http.post("/oauth/token", data=form)).raise_for_status().json()
    return str(found["access_token"])


async def bill(software: str, country: Country, token: str) -> None:
    """Let the vendor's software bill a consultation of each patient by immediate payment."""
    async with httpx.AsyncClient(base_url=software, timeout=30, trust_env=False) as http:
        for matricule in country.matricules:
            order = {"action": "send-note", "way": "pid", "sandbox": country.base, "token": token}
            sent = (await http.post("/actions", json={**order, "note": note_of(matricule)})).json()["uuid"]
            await until(http, sent, "simulated")
            confirmed = {"doctor": True, "patient": True, "personal_share": True}
            await http.post("/actions", json={"action": "confirm", "uuid": sent, **confirmed})
            await until(http, sent, "paid")


def note_of(matricule: str) -> dict[str, object]:
    day = today().isoformat()
    return {
        "biller": {"provider_code": CODE, "ehealth_id": EHEALTH_ID, "family": "Faber", "address": ADDRESS},
        "patient": {"matricule": matricule, "family": "Weber", "address": ADDRESS},
        "issued_on": day,
        "lines": [{"code": "C1", "quantity": 1, "on": day, "place": "01"}],
    }


async def until(http: httpx.AsyncClient, note: str, state: str) -> None:
    async with asyncio.timeout(20):
        while (shown := (await http.get(f"/notes/{note}")).json())["state"] != state:
            assert shown["state"] != "refused", shown
            await asyncio.sleep(0.02)


async def appeal(doctor: Visitor) -> None:
    await doctor.open(f"/digital-practice?q={QUARTER}")
    await check_page(doctor)
    entry = doctor.page.locator("li.entry", has=doctor.page.locator("details.confirm")).first
    await entry.locator("summary").click()
    await entry.locator("textarea").fill("Es fehlen zwei Honorarnoten vom Vormonat.")
    await doctor.button("Send the appeal").click()
    await see(doctor, "Your appeal has been sent.")


async def test_vendor_earns_the_label_and_notes_of_their_software_are_paid(
    dsn: str, browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "WAIT_SECONDS", 4.0)
    practice = Practice("RP-10")
    async with (
        open_country(tmp_path, dsn) as country,
        serve_driver(practice) as software,
        open_visitor(browser, country.base, "fr", viewport=NARROW) as vendor,
        open_visitor(browser, country.base, "en") as first,
        open_visitor(browser, country.base, "lb") as second,
        open_visitor(browser, country.base, "de", viewport=NARROW) as doctor,
    ):
        await sign_in_all(country, first, second, doctor)
        await sign_in_with(vendor, await register(vendor))
        await register_client(country.platform)
        await register_software(vendor)
        await vendor.open("/vendor/runs/new?kit=ra-pid")
        await fill(vendor, target=software)
        await vendor.button("Start the test").click()
        await see(vendor, "Your account has not been accepted yet.")
        await accept(first)

        await vendor.open("/vendor/runs/new?kit=ra-pid")
        report = await run_test(vendor, software)
        assert vendor.translate("Not passed") in report and "lieuDePrestation" in report
        practice.flaw = ""
        await vendor.link("Run again").click()
        report = await run_test(vendor, software)
        assert vendor.translate("Passed") in report and vendor.translate("Not passed") not in report
        await check_files(vendor, tmp_path)
        shared = await share(vendor)
        await apply(vendor)
        await approve(first)
        await approve(second)
        await see_label(browser, country.base, shared)

        await bill(software, country, await connect(doctor))
        await doctor.open("/digital-practice")
        await name_account(doctor, "Anne Faber", IBAN)
        await claim(vendor)

        country.clock.move_to(datetime.combine(QUARTER.last + timedelta(days=2), time(9), UTC))
        await prepare_months(country.platform)
        await decide(first)
        await confirm(second)
        await pay(second, country.bank, tmp_path)
        await check_paid(vendor, doctor)
        await appeal(doctor)
        await answer(first)
        await doctor.open(f"/digital-practice?q={QUARTER}")
        shown = await doctor.text()
        assert "Sie haben recht: Zwei Honorarnoten fehlten." in shown and "0,70" in shown
        await check_page(doctor)


async def sign_in_all(country: Country, first: Visitor, second: Visitor, doctor: Visitor) -> None:
    for visitor, holder in zip((first, second), country.operators, strict=True):
        await sign_in(visitor, country.platform, holder)
    await sign_in(doctor, country.platform, requester_of(country.doctor))


async def register_client(platform: Platform) -> None:
    """Register the software at the agency, as one of this vendor."""
    client = SoftwareClient(
        client_id=CLIENT, name=PRODUCT, maker=VENDOR, scopes=frozenset(SCOPES.split()), redirect_uris=(CALLBACK,)
    )
    await platform[Access].clients.register(client)


async def see_label(browser: Browser, base: str, shared: str) -> None:
    """Find the label in the public list, and read the report by its link."""
    async with open_visitor(browser, base, "en", viewport=NARROW) as anybody:
        await anybody.open("/software/labelled?q=essai")
        assert f"{PRODUCT} 7.1" in await anybody.text()
        await check_page(anybody)
        await anybody.open(shared)
        await anybody.button("Show the report").click()
        await anybody.page.locator(".entry-title", has_text="RP-48").wait_for()
        await check_page(anybody)


async def check_paid(vendor: Visitor, doctor: Visitor) -> None:
    """Check that doctor and vendor see their payments: each note, and one installation."""
    await doctor.open(f"/digital-practice?q={QUARTER}")
    shown = await doctor.text()
    assert "4,20" in shown and PRODUCT in shown and doctor.translate("Paid") in shown
    await vendor.open("/vendor/incentives")
    shown = await vendor.text()
    assert "400,00" in shown and vendor.translate("Paid") in shown
    await check_page(vendor)
