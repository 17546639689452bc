"""Proof to carry in a browser: a card that strangers verify without a network, a link that they open with a PIN."""

import io
import re
import time
from datetime import timedelta
from pathlib import Path

import pytest
import zxingcpp
from joserfc.jwk import ECKey
from PIL import Image
from playwright.async_api import Browser, Page

from esante.core import clock
from esante.services.vaccination.health_cards.codec import card_file, read_cards, sign
from esante.services.vaccination.health_cards.keys import SigningKeys
from tests.support.demo_server import DemoServer
from tests.support.health_cards import sample_claims
from tests.support.page_checks import axe_violations, browser_errors, overflowing_elements
from tests.support.page_tour import PATIENT
from tests.support.printed_pack import HEIGHT, WIDTH, write_film
from tests.support.processes import run_esante
from tests.support.visitors import Visitor, chromium, open_visitor

pytestmark = pytest.mark.browser

NARROW = {"width": 360, "height": 740}
RECIPIENT = "Lycée, Mme Martin"


async def check_page(visitor: Visitor) -> None:
    assert await overflowing_elements(visitor.page) == ""
    assert await axe_violations(visitor.page) == []
    assert browser_errors(visitor) == []


async def make_card(patient: Visitor) -> str:
    """Make a card of a patient's last three vaccinations; return its JWS, as a scanner reads it."""
    await patient.open("/vaccinations")
    await patient.link("Show or share my vaccinations").click()
    await check_page(patient)
    boxes = patient.page.locator("[name=dose]")
    await boxes.first.wait_for()
    for number in range(await boxes.count()):
        await boxes.nth(number).set_checked(number < 3)
    await patient.button("Make the card").click()
    code = patient.page.locator("svg.qr-code")
    await code.wait_for()
    await check_page(patient)
    (found,) = zxingcpp.read_barcodes(await picture_of(patient.page))
    await patient.page.set_viewport_size(NARROW)
    (jws,) = read_cards(found.text)
    return jws


async def picture_of(page: Page) -> Image.Image:
    """The QR code of a page, as a wide screen shows it."""
    await page.set_viewport_size({"width": 1280, "height": 900})
    return Image.open(io.BytesIO(await page.locator("svg.qr-code").screenshot())).convert("RGB")


def before_camera(code: Image.Image) -> Image.Image:
    """A code as the camera of `write_film` sees it."""
    picture = Image.new("L", (WIDTH, HEIGHT), 255)
    picture.paste(code.convert("L").resize((HEIGHT - 10, HEIGHT - 10)), ((WIDTH - HEIGHT) // 2, 5))
    return picture


async def verdict(page: Page, text: str) -> str | None:
    """Paste a card into the page, and return the result that it shows."""
    await page.evaluate("document.getElementById('results').replaceChildren()")
    await page.fill("#f-card", text)
    await page.press("#f-card", "Tab")
    await page.locator("#verify-form button").click()
    await page.locator("#results section").wait_for()
    return await page.locator("#results section").get_attribute("data-result")


def forged_after_retirement(demo: DemoServer) -> tuple[ECKey, str]:
    """Rotate the key of the demo's issuer; return the old one, and its address."""
    path = demo.data / "keys" / "health-cards.pem"
    old = SigningKeys(path).current()
    run_esante("vaccination", "keys", "rotate", "--data", demo.data)
    return old, f"{demo.base}/health-cards"


async def test_stranger_verifies_cards_without_a_network(demo: DemoServer, browser: Browser, tmp_path: Path) -> None:
    async with open_visitor(browser, demo.base, "fr", viewport=NARROW) as patient:
        await patient.sign_in(PATIENT)
        revoked = await make_card(patient)
        await patient.open_details("Declare this card invalid")
        await patient.button("Declare invalid").click()
        await patient.page.get_by_text(patient.translate("The card is invalid now.")).wait_for()
        await check_page(patient)
        card = await make_card(patient)
        film = tmp_path / "card.y4m"
        write_film(film, before_camera(await picture_of(patient.page)))
    old, iss = forged_after_retirement(demo)
    late = sign(sample_claims(iss=iss, nbf=int(time.time()) + 3_600), old)
    head, _, signature = card.split(".")
    tampered = f"{head}.{late.split('.')[1]}.{signature}"
    saved = tmp_path / "card.smart-health-card"
    saved.write_bytes(card_file(card))
    camera = f"--use-file-for-fake-video-capture={film}"
    options = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", camera)
    async with chromium(*options) as own, open_visitor(own, demo.base, "de", viewport=NARROW) as stranger:
        page = stranger.page
        await page.clock.set_fixed_time(clock.now() + timedelta(days=1))
        await stranger.open("/verify-card")
        await page.locator("#verify[data-ready]").wait_for()
        await page.context.set_offline(True)
        found = {
            name: await verdict(page, text)
            for name, text in {
                "card": card,
                "revoked": revoked,
                "tampered": tampered,
                "late": late,
                "other": "https://example.org",
            }.items()
        }
        assert found == {
            "card": "valid",
            "revoked": "revoked",
            "tampered": "wrong-signature",
            "late": "key-expired",
            "other": "not-a-card",
        }
        await page.evaluate("document.getElementById('results').replaceChildren()")
        await page.set_input_files("#f-file", saved)
        await page.locator("#results section[data-result=valid]").wait_for()
        await page.evaluate("document.getElementById('results').replaceChildren()")
        await stranger.button("Use the camera").click()
        await page.locator("#results section[data-result=valid]").wait_for()
        assert stranger.translate("The card is genuine") in await stranger.text()
        assert "Anna" in await stranger.text()
        await check_page(stranger)


async def test_link_is_opened_with_its_pin_seen_by_the_patient_and_ended(demo: DemoServer, browser: Browser) -> None:
    async with (
        open_visitor(browser, demo.base, "lb", viewport=NARROW) as patient,
        open_visitor(browser, demo.base, "en", viewport=NARROW) as school,
    ):
        await patient.sign_in(PATIENT)
        await patient.open("/vaccinations/proof")
        await patient.page.fill("[name=label]", "Lycée")
        await patient.button("Make the link").click()
        await patient.page.locator("svg.qr-code").wait_for()
        await check_page(patient)
        address = await patient.page.locator("#f-address").input_value()
        pin = (await patient.page.locator("p.code").inner_text()).strip()
        assert re.fullmatch(r"\d{6}", pin) and address.startswith(f"{demo.base}/open-link#shlink:/")

        await school.page.goto(address)
        await school.page.fill("[name=recipient]", RECIPIENT)
        await school.page.fill("[name=pin]", f"{(int(pin) + 1) % 1_000_000:06d}")
        await school.button("Show the vaccinations").click()
        await school.page.get_by_text("Attempts left: 4").wait_for()
        school.console_errors.clear()  # the browser reports the refusal (401)
        await school.page.fill("[name=pin]", pin)
        await school.button("Show the vaccinations").click()
        await school.page.locator("#results section[data-result=valid]").wait_for()
        assert "Musterfra" in await school.text()
        await check_page(school)

        await patient.open("/vaccinations/proof/shared")
        await patient.page.locator("ul.rows a", has_text="Lycée").first.click()
        await patient.page.locator("#openings").wait_for()
        text = await patient.text()
        assert text.count(RECIPIENT) == 2
        await check_page(patient)
        await patient.open("/vaccinations/proof/shared")
        await patient.page.locator("form[action$='/end'] button", has_text="Lycée").first.click()
        await patient.page.get_by_text(patient.translate("The link does not work any more.")).wait_for()
        await check_page(patient)
        await school.page.reload()
        await school.page.fill("[name=recipient]", RECIPIENT)
        await school.page.fill("[name=pin]", pin)
        await school.button("Show the vaccinations").click()
        await school.page.get_by_text("This link does not work.").wait_for()
        await patient.open("/log")
        assert RECIPIENT in await patient.text()
