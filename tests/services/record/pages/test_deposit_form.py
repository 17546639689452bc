"""The deposit form: fill in, check against the person, add; the file is kept meanwhile, without JavaScript."""

from dataclasses import replace
from datetime import date, timedelta

import orjson
import pytest
from lxml import html

from esante.core.web import translator
from esante.identity.access import requester_of
from esante.identity.directory import Identifier, matricule
from esante.services.record import Deposit, DepositedEvent
from esante.services.record.categories import CATEGORIES, type_choices
from esante.services.record.model import MAX_CONTENT, DepositRefused
from esante.services.record.uploads import kept_uploads
from tests.support.clinical_resources import laboratory_report
from tests.support.identification import MATRICULE
from tests.support.record import cda, image, letter, pdf
from tests.support.record_pages import load_page, main_text, send_form, state_motive

LETTER = {"type": "51852-2", "title": "Knee", "level": "normal"}
DOCX = b"PK\x03\x04" + bytes(2_000)


@pytest.fixture(autouse=True)
async def no_attempts(world):
    """Forget the attempts of the test before."""
    await world.db.fetchval("DELETE FROM access_attempt")


@pytest.fixture
async def visit(world, browse):
    """A person, a browser of their doctor, and the address of the deposit form."""
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    return person, await browse(world.people["doctor"]), f"/patients/{person.id}/deposit"


async def send(client, page, address, status=200, file=None, **fields):
    """Send the form of a page; return the page of the answer."""
    files = {"file": file} if file else None
    answer = await send_form(client, page, address, status, files=files, **fields)
    return html.fromstring(answer.text) if answer.text else answer


async def documents(world, person):
    """Return the documents in a person's record, as they see them."""
    return (await world.record.timeline(requester_of(person), person.id)).documents


def error_of(page) -> str:
    """Return the text of the box above the form."""
    return " ".join(" ".join(page.xpath("//*[contains(@class, 'callout')][1]//text()")).split())


async def test_document_is_shown_beside_its_person_before_it_is_added(world, visit):
    person, client, address = visit
    form = await load_page(client, address)
    content = pdf("Madame Anna Weber, née le 17.05.1980")
    check = await send(client, form, address, file=("knee.pdf", content), step="check", **LETTER)
    assert "Is this document about Anna Weber?" in main_text(check)
    assert "knee.pdf" in main_text(check) and "Knee" in main_text(check)
    [picture] = check.xpath("//article//img/@src")
    assert (await client.get(picture)).headers["content-type"] == "image/png"
    assert await documents(world, person) == ()
    done = await send(client, check, address, 201, step="add")
    assert "Document added" in main_text(done)
    [document] = await documents(world, person)
    assert (document.title, document.type, document.findings) == ("Knee", "51852-2", ())
    assert (await client.get(picture)).status_code == 404  # nothing is kept of what was added


async def test_document_of_somebody_else_is_warned_of_and_given_up(world, visit):
    person, client, address = visit
    form = await load_page(client, address)
    content = pdf("Monsieur Jean Dupont, né le 3.4.1961")
    check = await send(client, form, address, file=("a.pdf", content), step="check", **LETTER)
    text = main_text(check)
    assert "This document seems to be about someone else" in text
    for shown in ("Monsieur Jean Dupont", "3.4.1961", "Anna Weber", "17 May 1980"):
        assert shown in text
    refused = await send_form(client, check, address, 303, step="cancel")
    assert refused.headers["location"] == f"/patients/{person.id}"
    assert await documents(world, person) == ()
    assert await world.db.fetchval("SELECT count(*) FROM kept_upload") == 0
    [(_, event)] = await world.events(person, DepositRefused)
    assert (event.differs, event.severe) == (("name-differs", "birth-date-differs"), True)


async def test_severe_difference_needs_a_reason_which_readers_and_the_patient_see(world, visit, browse):
    person, client, address = visit
    form = await load_page(client, address)
    content = pdf("Monsieur Jean Dupont, né le 3.4.1961")
    check = await send(client, form, address, file=("a.pdf", content), step="check", **LETTER)
    assert check.xpath("//textarea[@name='reason']/@required")
    asked = await send(client, check, address, 422, step="add")
    assert "Enter a reason." in error_of(asked)
    again = await send(client, asked, address, step="check")
    await send(client, again, address, 201, step="add", reason="The laboratory mixed up the heads")
    [document] = await documents(world, person)
    reader = main_text(await load_page(client, f"/patients/{person.id}/documents/{document.id}"))
    patient = await browse(requester_of(person))
    for page in (reader, main_text(await load_page(patient, f"/record/{document.id}"))):
        assert "Is this document about the right person?" in page
        assert "The document does not carry the patient's name." in page
        assert "Whoever added the document has confirmed that it is the right person." in page
        assert "The laboratory mixed up the heads" in page
    log = main_text(await load_page(patient, "/log"))
    assert "tried to add a document that may be about someone else" in log
    assert "Reason given: The laboratory mixed up the heads" in log
    assert "The document has another date of birth than the patient." in log
    [(_, event)] = await world.events(person, DepositedEvent)
    assert event.justification == "The laboratory mixed up the heads"


async def test_doubt_is_confirmed_without_a_reason(world, visit):
    person, client, address = visit
    form = await load_page(client, address)
    check = await send(client, form, address, file=("a.pdf", pdf("Patient: Anna Klein")), step="check", **LETTER)
    assert "This document may be about someone else" in main_text(check)
    assert not check.xpath("//textarea[@name='reason']/@required")
    await send(client, check, address, 201, step="add")
    [document] = await documents(world, person)
    assert (document.findings, document.confirmation) == (("name-differs",), "")


async def test_difference_that_was_not_shown_is_shown_first(world, visit):
    """A form that skips the check, or was made before the person's entry changed, adds nothing that differs."""
    person, client, address = visit
    form = await load_page(client, address)
    check = await send(client, form, address, file=("a.pdf", pdf("Patient: Anna Weber")), step="check", **LETTER)
    await world.directory.update_person(replace(person, family="Reuter"), actor=world.people["operator"].actor)
    shown = await send(client, check, address, step="add")
    assert "This document may be about someone else" in main_text(shown)
    assert await documents(world, person) == ()


async def test_other_identification_number_is_shown_beside_that_of_the_person(world, browse):
    number, other = matricule(date(1980, 5, 17), 11), matricule(date(1961, 4, 3), 12)
    person = await world.person(identifiers=(Identifier(MATRICULE, number),))
    await world.into_circle(person, world.people["doctor_entry"])
    client, address = await browse(world.people["doctor"]), f"/patients/{person.id}/deposit"
    content = cda(root="1.3.182.4.4", extension=other)
    form = await load_page(client, address)
    check = await send(client, form, address, file=("a.xml", content), step="check", **LETTER | {"type": "own"})
    assert number in main_text(check) and other in main_text(check)


async def test_missing_type_of_a_pdf_is_asked_for_and_the_file_is_kept(world, visit):
    person, client, address = visit
    form = await load_page(client, address)
    assert form.xpath("//select[@name='type']/@required")
    fields = LETTER | {"type": "", "title": "Left knee"}
    asked = await send(client, form, address, 422, file=("knee.pdf", pdf()), step="check", **fields)
    assert "Choose the type of the document." in error_of(asked)
    assert "knee.pdf" in main_text(asked)
    assert not asked.xpath("//input[@name='file']/@required")
    assert asked.xpath("//input[@name='title']/@value") == ["Left knee"]
    check = await send(client, asked, address, step="check", type="51852-2")
    await send(client, check, address, 201, step="add")
    assert [document.title for document in await documents(world, person)] == ["Left knee"]


@pytest.mark.parametrize("language", ["en", "fr", "de", "lb"])
def test_types_have_names_in_the_users_language_and_each_once(language):
    translate = translator(language).gettext
    choices = type_choices(translate, CATEGORIES.keys() - {"patient_note"})
    assert [label for label, _ in choices] == [
        translate(category.label) for key, category in CATEGORIES.items() if key != "patient_note"
    ]
    for _, listed in choices:
        names = [name for _, name in listed]
        assert len(names) == len(set(names))
        assert not any(char.isdigit() for name in names for char in name)


def test_type_of_the_document_that_is_replaced_is_offered():
    choices = dict(type_choices(str, CATEGORIES, besides="85430-7"))
    assert "85430-7" in [code for code, _ in choices["Imaging report"]]
    assert "85430-7" not in [code for code, _ in dict(type_choices(str, CATEGORIES))["Imaging report"]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (DOCX, "Word, Excel and similar files, and archives, are not accepted. Open the file, save it as a PDF"),
        (b"", "The file is empty."),
        (b"\xff\x00\x12" * 99, "We cannot read this file. Choose a PDF"),
        ("Müller".encode("latin-1"), "We cannot read this file. Choose a PDF"),
        (b"GIF89a" + bytes(60), "Images in this format are not accepted. Save the image as JPEG or PNG."),
        (b"%PDF-1.7 broken", "The PDF is damaged and cannot be read."),
        (
            pdf(edit=lambda document: document.set_encryption("owner", user_password="secret")),
            "The PDF can only be opened with a password. Save it without a password",
        ),
        (b'{"resourceType": "Patient"}', "The FHIR document does not conform to FHIR R4."),
    ],
    ids=["docx", "empty", "binary", "Latin-1", "GIF", "broken PDF", "PDF with password", "no document"],
)
async def test_file_that_cannot_be_taken_is_refused_in_plain_words_and_the_form_kept(world, visit, content, said):
    person, client, address = visit
    form = await load_page(client, address)
    fields = LETTER | {"title": "Left knee", "date": "2024-03-11", "level": "restricted"}
    refused = await send(client, form, address, 422, file=("letter.docx", content), step="check", **fields)
    assert said in error_of(refused)
    assert "LOINC" not in main_text(refused) and "UTF-8" not in main_text(refused)
    assert refused.xpath("//input[@name='title']/@value") == ["Left knee"]
    assert refused.xpath("//input[@name='date']/@value") == ["2024-03-11"]
    assert refused.xpath("//input[@name='level'][@checked]/@value") == ["restricted"]
    assert refused.xpath("//select[@name='type']/option[@selected]/@value | //optgroup/option[@selected]/@value") == [
        "51852-2"
    ]
    assert refused.xpath("//input[@name='file']/@required")
    check = await send(client, refused, address, file=("letter.pdf", pdf("Anna Weber")), step="check")
    await send(client, check, address, 201, step="add")
    assert [document.title for document in await documents(world, person)] == ["Left knee"]


async def test_too_large_file_is_refused_in_plain_words(visit):
    _, client, address = visit
    form = await load_page(client, address)
    a_bit = await send(client, form, address, 413, file=("a.pdf", bytes(MAX_CONTENT + 1)), step="check", **LETTER)
    assert "The file is too large." in error_of(a_bit)
    far = await send(
        client, form, address, 413, file=("a.pdf", bytes(MAX_CONTENT + 2_000_000)), step="check", **LETTER
    )
    assert "The file is too large." in error_of(far)
    assert far.xpath("//input[@name='file']")


async def test_file_is_kept_for_its_session_and_person_alone(world, browse, visit):
    _, client, address = visit
    form = await load_page(client, address)
    check = await send(client, form, address, file=("a.pdf", pdf("Anna Weber")), step="check", **LETTER)
    [kept] = check.xpath("//input[@name='kept']/@value")
    image_of_page = f"{address}/{kept}/pages/1.png"
    assert (await client.get(image_of_page)).status_code == 200
    other = await world.person("Thill")
    await world.into_circle(other, world.people["doctor_entry"])
    elsewhere = f"/patients/{other.id}/deposit"
    assert (await client.get(f"{elsewhere}/{kept}/pages/1.png")).status_code == 404
    second = await browse(world.people["doctor"])  # the same doctor, in another session
    assert (await second.get(image_of_page)).status_code == 404
    blank = await load_page(second, address)
    refused = await send(second, blank, address, 422, step="check", kept=kept, **LETTER)
    assert "The file is no longer here." in error_of(refused)
    await send_form(second, blank, address, 303, step="cancel", kept=kept)
    assert (await client.get(image_of_page)).status_code == 200


async def test_file_expires_and_is_removed(world, visit, monkeypatch):
    _, client, address = visit
    form = await load_page(client, address)
    check = await send(client, form, address, file=("a.pdf", pdf("Anna Weber")), step="check", **LETTER)
    monkeypatch.setattr(kept_uploads, "LIFETIME", timedelta(0))
    refused = await send(client, check, address, 422, step="add")
    assert "The file is no longer here. Choose it again." in main_text(refused)
    assert refused.xpath("//input[@name='title']/@value") == ["Knee"]
    await world.record.uploads.remove_expired()
    assert await world.db.fetchval("SELECT count(*) FROM kept_upload") == 0


async def test_files_of_one_requester_are_bounded(world, visit):
    _, client, address = visit
    form = await load_page(client, address)
    for _ in range(kept_uploads.MOST_OF_REQUESTER + 2):
        check = await send(client, form, address, file=("a.pdf", pdf("Anna Weber")), step="check", **LETTER)
    doctor = world.people["doctor"].id
    kept = await world.db.fetchval("SELECT count(*) FROM kept_upload WHERE requester_id = $1", doctor)
    assert kept == kept_uploads.MOST_OF_REQUESTER
    await send(client, check, address, 201, step="add")  # the newest is among them


async def test_details_are_changed_without_choosing_the_file_again(world, visit):
    person, client, address = visit
    form = await load_page(client, address)
    check = await send(client, form, address, file=("a.pdf", pdf("Anna Weber")), step="check", **LETTER)
    edited = await send(client, check, address, step="edit")
    assert edited.xpath("//input[@name='title']/@value") == ["Knee"]
    check = await send(client, edited, address, step="check", title="Right knee")
    await send(client, check, address, 201, step="add")
    assert [document.title for document in await documents(world, person)] == ["Right knee"]


async def test_active_pdf_is_reported_and_same_file_is_added_once(world, visit):
    person, client, address = visit
    active = pdf("Anna Weber") + b"\n11 0 obj <</S /JavaScript /JS (app.alert(1))>> endobj\n"
    for status, said in ((201, "The PDF contains a program"), (200, "had already been added")):
        form = await load_page(client, address)
        check = await send(client, form, address, file=("a.pdf", active), step="check", **LETTER)
        assert said in main_text(await send(client, check, address, status, step="add"))
    assert len(await documents(world, person)) == 1


async def test_new_version_replaces_document(world, visit):
    person, client, address = visit
    old = (await world.record.deposit(world.people["doctor"], person.id, *letter())).document
    versioned = f"{address}?replaces={old.id}"
    form = await load_page(client, versioned)
    assert "The earlier version can still be read" in main_text(form)
    check = await send(client, form, versioned, file=("b.pdf", pdf("Anna Weber")), step="check")
    assert "Replaces" in main_text(check)
    await send(client, check, versioned, 201, step="add")
    shown = main_text(await load_page(client, f"/patients/{person.id}/documents/{old.id}"))
    assert "There is a newer version" in shown


async def test_fhir_document_is_shown_before_it_is_added(world, visit):
    person, client, address = visit
    form = await load_page(client, address)
    content = orjson.dumps(laboratory_report(person, ("1", 14.1)))
    fields = {"type": "own", "title": "", "level": "normal"}
    check = await send(client, form, address, file=("a.json", content), step="check", **fields)
    assert "14.1 g/dL" in main_text(check) and "Laboratory report" in main_text(check)
    await send(client, check, address, 201, step="add")
    assert [document.category for document in await documents(world, person)] == ["laboratory_report"]


async def test_nothing_is_kept_of_who_may_not_write(world, visit):
    person, client, address = visit
    form = await load_page(client, address)
    await state_motive(client, person.id)
    await world.access.lifecycle.change(requester_of(person), "close")
    refused = await send(client, form, address, 403, file=("a.pdf", pdf("Anna Weber")), step="check", **LETTER)
    assert "Nothing can be added to this patient's record" in error_of(refused)
    kept = await world.db.fetchval("SELECT count(*) FROM kept_upload WHERE person_id = $1", person.id)
    assert kept == 0


async def test_image_and_cda_are_shown_before_they_are_added(visit):
    _, client, address = visit
    form = await load_page(client, address)
    check = await send(client, form, address, file=("a.png", image()), step="check", **LETTER | {"type": "18748-4"})
    [picture] = check.xpath("//article//img/@src")
    assert (await client.get(picture)).headers["content-type"] == "image/png"
    form = await load_page(client, address)
    check = await send(client, form, address, file=("a.xml", cda()), step="check", **LETTER | {"type": "own"})
    assert "Is this document about Anna Weber?" in main_text(check)
    assert not check.xpath("//*[contains(@class, 'callout')]")


async def test_hostile_steps_and_keys_are_refused(visit):
    _, client, address = visit
    form = await load_page(client, address)
    assert "Choose a file." in error_of(await send(client, form, address, 422, step="add", **LETTER))
    assert "Choose a file." in error_of(await send(client, form, address, 422, step="nonsense", **LETTER))
    answer = await send_form(client, form, address, 422, step="check", **LETTER | {"level": "everyone"})
    assert answer.status_code == 422
    for kept in ("x", "../../etc/passwd"):
        answer = await client.post(
            address, data={"_csrf": form.xpath("//input[@name='_csrf']/@value")[0], "kept": kept}
        )
        assert answer.status_code == 404


async def test_fallback_title_is_in_the_readers_language(world, visit):
    person, client, _ = visit
    untitled = Deposit(type="51852-2", language="fr")
    await world.record.deposit(world.people["doctor"], person.id, pdf("Anna Weber"), untitled)
    client.cookies.set("esante_lang", "de")
    page = await load_page(client, f"/patients/{person.id}")
    assert "Letter" not in main_text(page) and "Brief" in main_text(page)
