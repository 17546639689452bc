"""The pages of the proof without JavaScript: what they offer to whom, and what they make."""

import io
from base64 import urlsafe_b64decode

import httpx
import orjson
import pytest
import segno
import zxingcpp
from lxml import html
from PIL import Image

from esante.core.storage import uuid7
from esante.services.vaccination.health_cards.codec import read_cards, to_digits
from esante.services.vaccination.pages.proof_pages import PROOF, card_qr
from tests.services.vaccination.health_cards.test_issuer import issue, vaccinated
from tests.support.record_pages import load_page, main_text, send_form


async def chosen_form(client):
    """The form of the proof, with the choices of the page."""
    page = await load_page(client, PROOF)
    return {
        "_csrf": page.xpath("//main//input[@name = '_csrf']/@value")[0],
        "dose": page.xpath("//input[@name = 'dose'][@checked]/@value"),
        "days": "7",
        "label": "",
    }


async def test_chosen_doses_become_a_card_with_a_code_a_file_and_an_end(world, cards, proofs, browse):
    patient, _ = await vaccinated(world, cards, 3)
    client = await browse(patient)
    fields = await chosen_form(client)
    assert len(fields["dose"]) == 3
    made = await client.post(f"{PROOF}/cards", data=fields | {"dose": fields["dose"][:2]})
    address = made.headers["location"]
    page = await load_page(client, address)
    assert "2 vaccinations" in main_text(page) and page.xpath("//*[local-name() = 'svg'][contains(@class, 'qr-code')]")
    file = await client.get(f"{address}/file")
    assert file.headers["content-type"] == "application/smart-health-card"
    assert file.headers["content-disposition"].endswith('.smart-health-card"')
    (card,) = await proofs.cards_of(patient)
    assert orjson.loads(file.content) == {"verifiableCredential": [card.jws]}
    await send_form(client, page, f"{address}/revoke")
    assert (await client.get(address)).status_code == 404
    assert (await client.get(f"{address}/file")).status_code == 404
    assert "Invalid" in main_text(await load_page(client, f"{PROOF}/shared"))


async def test_code_of_a_card_has_digits_and_reads_back(world, cards, proofs):
    patient, _ = await vaccinated(world, cards, 3)
    card = await issue(proofs, patient)
    segments = [("shc:/", segno.consts.MODE_BYTE), (to_digits(card.jws), segno.consts.MODE_NUMERIC)]
    drawn = segno.make_qr(segments, error="l", boost_error=False)
    assert drawn.version <= 22
    png = io.BytesIO()
    drawn.save(png, kind="png", scale=4)
    (found,) = zxingcpp.read_barcodes(Image.open(png).convert("RGB"))
    assert read_cards(found.text) == [card.jws]
    svg = html.fromstring(str(card_qr(card.jws, "<b>")))
    assert svg.get("viewbox") == f"0 0 {drawn.symbol_size()[0]} {drawn.symbol_size()[1]}" and not svg.xpath("//b")


async def test_restricted_dose_is_chosen_only_by_hand(world, cards, proofs, browse):
    patient, _ = await vaccinated(world, cards, 2)
    client = await browse(patient)
    first = (await chosen_form(client))["dose"][0]
    page = await load_page(client, f"/vaccinations/{first}")
    await send_form(client, page, f"/vaccinations/{first}/confidentiality", level="hidden")
    page = await load_page(client, PROOF)
    offered = set(page.xpath("//input[@name = 'dose']/@value"))
    assert first in offered and first not in set(page.xpath("//input[@name = 'dose'][@checked]/@value"))


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"dose": []}, 400, "Choose at least one vaccination."),
        ({"dose": ["../etc", "1"]}, 400, "Choose at least one vaccination."),
        ({"dose": [str(uuid7())]}, 404, "We could not find"),
        ({"days": "3"}, 400, "Choose how long the link works."),
        ({"days": "9999999999999"}, 400, "Choose how long the link works."),
        ({"label": "x" * 81}, 400, "This text is too long."),
    ],
)
async def test_wrong_form_makes_no_link_and_says_what_is_wrong(world, cards, links, browse, fields, status, words):
    patient, _ = await vaccinated(world, cards)
    client = await browse(patient)
    answer = await client.post(f"{PROOF}/links", data=await chosen_form(client) | fields)
    assert answer.status_code == status and words in main_text(html.fromstring(answer.text))
    assert await links.links_of(patient) == []


async def test_link_is_shown_once_listed_with_its_openings_and_ended(world, cards, links, browse):
    patient, _ = await vaccinated(world, cards)
    client = await browse(patient)
    hostile = "<script>alert(1)</script>"
    made = await client.post(f"{PROOF}/links", data=await chosen_form(client) | {"label": hostile})
    page = html.fromstring(made.text)
    (address,), (pin,) = page.xpath("//textarea/text()"), page.xpath("//p[@class = 'code']/text()")
    assert made.headers["cache-control"] == "no-store" and hostile not in made.text
    uri = address.strip().partition("#")[2]
    (link,) = await links.links_of(patient)
    manifest = orjson.loads(urlsafe_b64decode(uri.removeprefix("shlink:/") + "==="))["url"]
    await links.open(manifest.rpartition("/")[2], hostile, pin, "192.0.2.3")
    listed = await load_page(client, f"{PROOF}/shared")
    assert "opened 1 time" in main_text(listed) and pin not in main_text(listed)
    openings = await load_page(client, f"{PROOF}/links/{link.link_id}")
    assert hostile in main_text(openings)
    await send_form(client, listed, f"{PROOF}/links/{link.link_id}/end")
    assert "Ended" in main_text(await load_page(client, f"{PROOF}/shared"))


async def test_many_cards_and_links_have_pages_and_a_search(world, cards, proofs, links, browse):
    patient, _ = await vaccinated(world, cards)
    client = await browse(patient)
    doses = {dose.id for dose in await proofs.provable_doses(patient)}
    for number in range(8):
        await links.create(patient, doses, f"School {number}", 7, "en")
        await proofs.issue(patient, doses)
    page = await load_page(client, f"{PROOF}/shared")
    assert len(page.xpath("//main//li[contains(@class, 'entry')]")) == 10
    (more,) = page.xpath("//a[@rel = 'next']/@href")
    assert len((await load_page(client, more)).xpath("//main//li[contains(@class, 'entry')]")) == 6
    found = await load_page(client, f"{PROOF}/shared?q=school 3")
    assert len(found.xpath("//main//li[contains(@class, 'entry')]")) == 1
    assert "No link has these words." in main_text(await load_page(client, f"{PROOF}/shared?q=xyzzy"))


async def test_pages_are_for_the_person_only(world, cards, proofs, browse):
    patient, doctor = await vaccinated(world, cards)
    card = await issue(proofs, patient)
    other, _ = await vaccinated(world, cards)
    for requester, status in ((other, {404}), (doctor, {403, 404})):
        client = await browse(requester)
        csrf = (await chosen_form(client))["_csrf"] if requester is other else ""
        for address in (f"{PROOF}/cards/{card.card_id}", f"{PROOF}/cards/{card.card_id}/file"):
            assert (await client.get(address)).status_code in status
        assert (await client.post(f"{PROOF}/cards/{card.card_id}/revoke", data={"_csrf": csrf})).status_code in status
    assert (await proofs.find(patient, card.card_id)).jws == card.jws


async def test_public_pages_carry_the_keys_and_no_person(world, cards, proofs, app):
    patient, _ = await vaccinated(world, cards)
    card = await issue(proofs, patient)
    await proofs.revoke(patient, card.card_id)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://esante.test") as client:
        page = await load_page(client, "/verify-card")
        (directory,) = page.xpath("//*[@id = 'verify']/@data-directory")
        assert (await client.get("/open-link")).status_code == 200
    (entry,) = orjson.loads(str(directory))["issuerInfo"]
    assert entry["issuer"]["iss"] == proofs.iss and all("d" not in key for key in entry["keys"])
    assert any(card.rid in crl["rids"] for crl in entry["crls"])
    assert "Weber" not in html.tostring(page).decode()
