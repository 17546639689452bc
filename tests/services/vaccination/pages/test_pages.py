"""The pages of the card without JavaScript: what they show to whom, and what they save."""

import io
from datetime import UTC, datetime, timedelta

import orjson
import pytest
import zxingcpp
from lxml import html
from PIL import Image

from esante.core import clock
from esante.core.storage import uuid7
from esante.core.time_zone import today
from esante.identity.access import Confidentiality, log_types, requester_of
from tests.services.vaccination.card.test_service import person_with_doctor
from tests.support.record_pages import load_page, main_text, send_form
from tests.support.vaccination import GTIN, copied, given, renew

HOSTILE = "<script>alert(1)</script>\"'{{7*7}}%(agency)s"


def code_of(expires, lot="LOT7", serial="S7", gtin=GTIN) -> str:
    return f"]d201{gtin}17{expires:%y%m%d}10{lot}\u241d21{serial}"


def picture_of(code: str) -> bytes:
    """A PNG of a printed GS1 DataMatrix."""
    symbol = zxingcpp.create_barcode(code, zxingcpp.BarcodeFormat.DataMatrix, gs1=True)
    out = io.BytesIO()
    Image.fromarray(zxingcpp.write_barcode_to_image(symbol, scale=6, add_quiet_zones=True)).save(out, "PNG")
    return out.getvalue()


def url_of(person) -> str:
    return f"/patients/{person.id}/vaccinations"


async def test_scanned_pack_fills_the_form_and_one_more_step_saves_the_dose(world, browse):
    person, doctor = await person_with_doctor(world)
    client, url = await browse(doctor), url_of(person)
    scan = await load_page(client, f"{url}/scan")
    expires = today() + timedelta(days=200)
    shown = await send_form(client, scan, f"{url}/scan", 200, code=code_of(expires))
    form = html.fromstring(shown.text)
    assert "Pack read: Boostrix Polio" in main_text(form)
    saved = await send_form(client, form, f"{url}/new", site="LA")
    assert saved.headers["location"] == f"{url}?saved=given"
    card = main_text(await load_page(client, saved.headers["location"]))
    assert "The vaccination has been saved." in card and "Lot LOT7" in card
    own = main_text(await load_page(await browse(requester_of(person)), "/vaccinations"))
    assert "Boostrix Polio" in own and "Lot LOT7" in own


async def test_dose_with_a_warning_is_saved_only_with_a_reason(world, browse, cards):
    person, doctor = await person_with_doctor(world)
    client, url = await browse(doctor), url_of(person)
    scan = await load_page(client, f"{url}/scan")
    shown = await send_form(client, scan, f"{url}/scan", 200, code=code_of(today() - timedelta(days=1)))
    form = html.fromstring(shown.text)
    assert "The vaccine expired on" in main_text(form)
    again = await send_form(client, form, f"{url}/new", 409, reason="")
    form = html.fromstring(again.text)
    assert form.xpath("//input[@name = 'lot']/@value") == ["LOT7"]
    await send_form(client, form, f"{url}/new", reason="The manufacturer extended it.")
    assert len((await cards.load(doctor, person.id)).card.doses) == 1


async def test_pharmacist_is_offered_the_vaccines_that_they_give_and_no_other(world, browse, cards):
    person, doctor = await person_with_doctor(world)
    pharmacy = await world.organization("pharmacy", "Pharmacie")
    practitioner = await world.practitioner("Apotheker", pharmacy, "pharmacist")
    await world.into_circle(person, practitioner)
    client, url = await browse(requester_of(practitioner, pharmacy, "pharmacist")), url_of(person)
    card = await load_page(client, url)
    links = [link.get("href") for link in card.xpath("//main//a")]
    assert f"{url}/scan" in links and f"{url}/copy" not in links and f"{url}/refusal" not in links
    form = await load_page(client, f"{url}/new")
    products = form.xpath("//select[@name = 'product']//option/@value")
    assert "comirnaty" in products and "boostrix_polio" not in products
    expires = (today() + timedelta(days=200)).isoformat()
    await send_form(client, form, f"{url}/new", product="comirnaty", lot="PH7", expires_on=expires)
    scan = await load_page(client, f"{url}/scan")
    shown = await send_form(client, scan, f"{url}/scan", 403, code=code_of(today() + timedelta(days=200)))
    assert "Your profession does not give this vaccine." in main_text(html.fromstring(shown.text))
    assert [dose.lot for dose in (await cards.load(doctor, person.id)).card.given] == ["PH7"]


async def test_dose_of_software_shows_professionals_what_the_checks_find(world, browse, cards):
    person, doctor = await person_with_doctor(world)
    (key,) = await cards.enter(doctor, person.id, [given()])
    writer = world.record.clinical_writer("http://esante.test/fhir")
    version = await world.record.clinical.read(doctor, "Immunization", (person.id, key))
    changed = orjson.loads(version.body) | {"expirationDate": "2020-01-31"}
    await writer.update(doctor, "Immunization", (person.id, key), orjson.dumps(changed))
    shown = main_text(await load_page(await browse(doctor), f"{url_of(person)}/{key}"))
    assert "The checks find something unusual" in shown and "The vaccine expired on" in shown
    own = main_text(await load_page(await browse(requester_of(person)), f"/vaccinations/{key}"))
    assert "The checks find something unusual" not in own


async def test_picture_of_a_pack_is_read(world, browse):
    person, doctor = await person_with_doctor(world)
    client, url = await browse(doctor), url_of(person)
    scan = await load_page(client, f"{url}/scan")
    png = picture_of(f"(01){GTIN}(17)300200(10)PIC1(21)X1")
    shown = await send_form(client, scan, f"{url}/scan", 200, files={"picture": ("pack.png", png, "image/png")})
    form = html.fromstring(shown.text)
    assert form.xpath("//input[@name = 'expires_on']/@value") == ["2030-02-28"]
    assert form.xpath("//input[@name = 'lot']/@value") == ["PIC1"]


@pytest.mark.parametrize(
    ("code", "picture", "words"),
    [
        ("hello", None, "This is not the code of a medicine pack."),
        (HOSTILE, None, "This is not the code of a medicine pack."),
        ("", b"no picture", "This picture cannot be read."),
        ("", "blank", "There is no code in this picture."),
    ],
)
async def test_what_cannot_be_read_is_said_and_the_ways_stay_open(world, browse, code, picture, words):
    person, doctor = await person_with_doctor(world)
    client, url = await browse(doctor), url_of(person)
    if picture == "blank":
        out = io.BytesIO()
        Image.new("L", (200, 200), 255).save(out, "PNG")
        picture = out.getvalue()
    files = {"picture": ("pack.png", picture, "image/png")} if picture else None
    answer = await send_form(
        client, await load_page(client, f"{url}/scan"), f"{url}/scan", 422, files=files, code=code
    )
    assert words in main_text(html.fromstring(answer.text))
    assert "<script>alert(1)" not in answer.text
    assert "wasm-unsafe-eval" in answer.headers["content-security-policy"]


async def test_pack_that_is_not_in_the_list_keeps_lot_and_expiry(world, browse):
    person, doctor = await person_with_doctor(world)
    client, url = await browse(doctor), url_of(person)
    code = code_of(today() + timedelta(days=99), gtin="09504000059101")
    shown = await send_form(client, await load_page(client, f"{url}/scan"), f"{url}/scan", 200, code=code)
    form = html.fromstring(shown.text)
    assert "its product number is not in the list" in main_text(form)
    assert form.xpath("//input[@name = 'lot']/@value") == ["LOT7"]
    await send_form(client, form, f"{url}/new", product="boostrix_polio")


async def test_only_the_page_with_the_camera_may_run_webassembly(world, browse):
    person, doctor = await person_with_doctor(world)
    client, url = await browse(doctor), url_of(person)
    policies = {
        path: (await client.get(url + path)).headers["content-security-policy"] for path in ("", "/scan", "/new")
    }
    assert [path for path, policy in policies.items() if "wasm-unsafe-eval" in policy] == ["/scan"]
    assert all("script-src 'self'" in policy and "'unsafe-eval'" not in policy for policy in policies.values())
    boosted = await client.get(f"{url}/scan", headers={"HX-Boosted": "true"})
    assert boosted.headers["hx-redirect"] == f"{url}/scan"


async def test_paper_card_is_copied_in_one_step_with_dates_as_people_write_them(world, browse, cards):
    person, doctor = await person_with_doctor(world)
    client, url = await browse(doctor), url_of(person)
    page = await load_page(client, f"{url}/copy")
    more = await send_form(client, page, f"{url}/copy", 200, step="more", occurred_0="17.5.2015")
    page = html.fromstring(more.text)
    assert page.xpath("//input[@name = 'occurred_0']/@value") == ["17.5.2015"]
    fields = {"occurred_1": "5/2009", "product_1": "antigen:tetanus", "occurred_2": "2001", "product_2": "priorix"}
    await send_form(client, page, f"{url}/copy", product_0="boostrix_polio", lot_0="P1", place_0="School", **fields)
    doses = (await cards.load(doctor, person.id)).card.given
    assert [(dose.occurred, dose.place) for dose in doses] == [("2015-05-17", "School"), ("2009-05", ""), ("2001", "")]
    text = main_text(await load_page(client, url))
    assert "Copied" in text and "05/2009" in text


@pytest.mark.parametrize("wrong", ["soon", "1950", "31.2.2015"])
async def test_wrong_row_of_a_paper_card_is_marked_and_nothing_is_saved(world, browse, cards, wrong):
    person, doctor = await person_with_doctor(world)
    client, url = await browse(doctor), url_of(person)
    page = await load_page(client, f"{url}/copy")
    fields = {"occurred_0": "2015", "product_0": "priorix", "occurred_2": wrong, "product_2": "priorix"}
    answer = await send_form(client, page, f"{url}/copy", 400, step="save", **fields)
    shown = html.fromstring(answer.text)
    assert shown.xpath("//input[@aria-invalid = 'true']/@name") == ["occurred_2"]
    assert shown.xpath("//input[@name = 'occurred_0']/@value") == ["2015"]
    assert not (await cards.load(doctor, person.id)).card.doses


async def test_refusal_is_noted_and_shown_to_both(world, browse):
    person, doctor = await person_with_doctor(world)
    client, url = await browse(doctor), url_of(person)
    page = await load_page(client, f"{url}/refusal")
    await send_form(client, page, f"{url}/refusal", antigens="influenza", reason="PATOBJ", note=HOSTILE)
    for reader, address in ((doctor, url), (requester_of(person), "/vaccinations")):
        shown = await load_page(await browse(reader), address)
        assert "The patient or a parent does not want it." in main_text(shown)


async def test_correction_and_error_are_forms_of_the_author_only(world, browse, cards):
    person, doctor = await person_with_doctor(world)
    (key,) = await cards.enter(doctor, person.id, [given(lot="WRONG")])
    client, url = await browse(doctor), f"{url_of(person)}/{key}"
    page = await load_page(client, f"{url}/correct")
    await send_form(client, page, f"{url}/correct", lot="RIGHT", why="misread")
    shown = main_text(await load_page(client, url))
    assert "RIGHT" in shown and "WRONG" in shown and "Corrected: misread" in shown
    other = await world.practitioner("Other")
    await world.into_circle(person, other)
    foreign = await load_page(await browse(requester_of(other)), url)
    assert not [form for form in foreign.forms if form.get("action", "").endswith("/withdraw")]
    await send_form(client, await load_page(client, url), f"{url}/withdraw", why="wrong patient")
    assert "Entries marked as errors" in main_text(await load_page(client, url_of(person)))


async def test_contraindication_and_adverse_event_are_recorded(world, browse, cards):
    person, doctor = await person_with_doctor(world)
    (key,) = await cards.enter(doctor, person.id, [given()])
    client, url = await browse(doctor), url_of(person)
    page = await load_page(client, url)
    await send_form(client, page, f"{url}/contraindications", kind="pregnancy", since=today().isoformat())
    page = await load_page(client, url)
    assert "Pregnancy" in main_text(page)
    (end,) = [form.get("action") for form in page.forms if form.get("action", "").endswith("/end")]
    await send_form(client, page, end)
    await send_form(client, await load_page(client, f"{url}/{key}"), f"{url}/{key}/event", text="Fever", serious="yes")
    assert "Fever" in main_text(await load_page(await browse(requester_of(person)), f"/vaccinations/{key}"))


async def test_patient_restricts_a_dose_which_others_then_do_not_see(world, browse, cards, histories):
    person, doctor = await person_with_doctor(world)
    (key,) = await cards.enter(doctor, person.id, [given(lot="MINE")])
    reader = await world.practitioner("Reader")
    await world.into_circle(person, reader)
    client = await browse(requester_of(person))
    page = await load_page(client, f"/vaccinations/{key}")
    await send_form(client, page, f"/vaccinations/{key}/confidentiality", level=Confidentiality.HIDDEN.value)
    await renew(world, histories)
    assert "MINE" not in (await (await browse(requester_of(reader))).get(url_of(person))).text
    assert "MINE" in main_text(await load_page(client, "/vaccinations"))


async def test_card_is_absent_for_who_has_no_access_as_for_nobody(world, browse, cards):
    person, doctor = await person_with_doctor(world)
    await cards.enter(doctor, person.id, [given()])
    client = await browse(requester_of(await world.practitioner("Stranger")))
    answers = [await client.get(f"/patients/{id_}/vaccinations") for id_ in (person.id, uuid7())]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].text.replace(str(person.id), "") == answers[1].text.replace(
        str(answers[1].url).split("/")[4], ""
    )
    missing = await client.get(f"{url_of(person)}/{uuid7()}")
    assert missing.status_code == 404


async def test_empty_card_says_what_to_do(world, browse):
    person = await world.person()
    text = main_text(await load_page(await browse(requester_of(person)), "/vaccinations"))
    assert "No vaccination is recorded yet" in text and "paper vaccination card" in text


async def test_list_has_pages_and_finds_a_disease(world, browse, cards):
    person, doctor = await person_with_doctor(world)
    days = [today() - timedelta(days=30 * number) for number in range(1, 41)]
    for start in (0, 20):
        await cards.enter(
            doctor, person.id, [copied(day.isoformat(), lot=f"L{day:%y%m%d}") for day in days[start : start + 20]]
        )
    await cards.enter(doctor, person.id, [copied("2019-02-02", product="comirnaty")])
    client = await browse(requester_of(person))
    first = await load_page(client, "/vaccinations")
    (following,) = first.xpath("//a[@rel = 'next']/@href")
    assert len(first.xpath("//ol[@class = 'timeline']/li")) == 20
    assert len((await load_page(client, following)).xpath("//ol[@class = 'timeline']/li")) == 20
    found = await load_page(client, "/vaccinations?q=covid")
    assert len(found.xpath("//ol[@class = 'timeline']/li")) == 1
    assert "No vaccination has these words." in main_text(await load_page(client, "/vaccinations?q=xyzzy"))
    assert (await client.get("/vaccinations?cursor=%20")).status_code == 400


async def test_forms_of_another_site_are_refused(world, browse):
    person, doctor = await person_with_doctor(world)
    client, url = await browse(doctor), url_of(person)
    for path in ("new", "scan", "copy", "refusal", "contraindications"):
        assert (await client.post(f"{url}/{path}", data={"key": str(uuid7())})).status_code == 403


async def test_what_a_patient_wrote_is_not_confirmed_until_a_professional_does(world, browse, cards):
    person, doctor = await person_with_doctor(world)
    writer = world.record.clinical_writer("http://esante.test/fhir")
    resource = {
        "resourceType": "Immunization",
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{uuid7()}"}],
        "status": "completed",
        "vaccineCode": {"text": "Tetanus", "coding": [{"system": "http://hl7.org/fhir/sid/cvx", "code": "112"}]},
        "patient": {"reference": f"Patient/{person.id}"},
        "occurrenceDateTime": "2010-04-04",
        "protocolApplied": [{"targetDisease": [{"text": "Tetanus"}], "doseNumberPositiveInt": 1}],
    }
    written = await writer.create(requester_of(person), "Immunization", orjson.dumps(resource))
    client, url = await browse(doctor), url_of(person)
    assert "Not confirmed" in main_text(await load_page(client, url))
    page = await load_page(client, f"{url}/{written.version.id}")
    await send_form(client, page, f"{url}/{written.version.id}/confirm")
    (matched,) = (await cards.load(doctor, person.id)).card.doses
    assert matched.shown.confirmed and len(matched.others) == 1


async def test_parent_sees_the_card_of_the_child_and_can_change_nothing(world, browse, cards):
    child, doctor = await person_with_doctor(world)
    await cards.enter(doctor, child.id, [given()])
    parent = await world.parent_of(child, "Elter")
    client, url = await browse(parent), f"/represented/{child.id}/vaccinations"
    own = await load_page(client, "/vaccinations")
    assert own.xpath(f"//a[@href='{url}']") and "Vaccinations of those you act for" in main_text(own)
    card = await load_page(client, url)
    assert "You act for this person" in main_text(card) and "Boostrix Polio" in main_text(card)
    dose = await load_page(client, card.xpath(f"//a[starts-with(@href, '{url}/')]/@href")[0])
    assert [*card.xpath("//main//form[@method='post']"), *dose.xpath("//main//form[@method='post']")] == []
    assert parent.id in {entry.actor.id for entry, _ in await world.events(child, *log_types())}


async def test_card_of_somebody_for_whom_one_does_not_act_is_as_unknown_as_no_person(world, browse, cards):
    child, doctor = await person_with_doctor(world)
    await cards.enter(doctor, child.id, [given()])
    await world.parent_of(child)
    stranger = await browse(requester_of(await world.person()))
    refused = await stranger.get(f"/represented/{child.id}/vaccinations")
    nobody = uuid7()
    unknown = await stranger.get(f"/represented/{nobody}/vaccinations")
    assert refused.status_code == unknown.status_code == 404
    assert refused.text.replace(str(child.id), str(nobody)) == unknown.text
    assert (await (await browse(doctor)).get(f"/represented/{child.id}/vaccinations")).status_code == 404


async def test_parents_do_not_see_the_card_of_a_child_of_age(world, browse, cards):
    child, doctor = await person_with_doctor(world)
    await cards.enter(doctor, child.id, [given()])
    client = await browse(await world.parent_of(child))
    with clock.use_clock(lambda: datetime.now(UTC) + timedelta(days=3)):
        page = await load_page(client, "/vaccinations")
        assert "Vaccinations of those you act for" not in main_text(page)
        assert (await client.get(f"/represented/{child.id}/vaccinations")).status_code == 404
