"""Documents whose patient differs from the person of the record: asked about, confirmed, journalled, counted."""

from datetime import date

import orjson
import pytest

from esante.core.fhir import check
from esante.core.storage import uuid7
from esante.identity.access import requester_of
from esante.identity.directory import Identifier, matricule
from esante.services.record import Deposit, DepositedEvent, DepositItem, Replaced
from esante.services.record.documents.content.validation_messages import InvalidContent
from esante.services.record.identification.check import PersonDiffers
from esante.services.record.identification.confirmation import CONFIRMATION_EXTENSION
from esante.services.record.model import DepositRefused
from tests.support.access_policy import changed_policy
from tests.support.identification import MATRICULE
from tests.support.record import FHIR, LOCAL, cda, fhir_document, image, letter, loinc, pdf, reference, transaction

BORN = date(1980, 5, 17)
PDF = Deposit(type="11504-8", media_type="application/pdf")


@pytest.fixture(autouse=True)
async def no_attempts(world):
    """Forget the attempts of the test before."""
    await world.db.fetchval("DELETE FROM access_attempt")


def fhir(family: str, given: str, born: str, sex: str = "female") -> tuple[bytes, Deposit]:
    document = fhir_document()
    patient = document["entry"][1]["resource"]
    patient |= {"name": [{"family": family, "given": [given]}], "birthDate": born, "gender": sex}
    return orjson.dumps(document), Deposit()


def clinical_document(family: str, given: str, born: str) -> tuple[bytes, Deposit]:
    names = f"<given>{given}</given><family>{family}</family>"
    content = cda().decode().replace("<given>Anna</given><family>Weber</family>", names)
    return content.replace('value="19800517"', f'value="{born.replace("-", "")}"').encode(), Deposit()


def page(family: str, given: str, born: str) -> tuple[bytes, Deposit]:
    return pdf(f"{given} {family}, née le {date.fromisoformat(born):%d.%m.%Y} {uuid7().hex}"), PDF


def note(family: str, given: str, born: str) -> tuple[bytes, Deposit]:
    return letter(f"{given} {family}, née le {date.fromisoformat(born):%d.%m.%Y} {uuid7().hex}")


FORMATS = {"fhir": fhir, "cda": clinical_document, "pdf": page, "text": note}


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize(
    ("named", "keys", "severe"),
    [
        (("WEBER-KLEIN", "Anna", "1980-05-17"), (), False),
        (("Weber", "Eva", "1980-05-17"), ("name-differs",), False),
        (("Weber", "Anna", "1980-05-18"), ("birth-date-differs",), False),
        (("Dupont", "Jeanne", "1961-04-03"), ("name-differs", "birth-date-differs"), True),
    ],
    ids=["same", "twin", "other day", "other"],
)
async def test_document_of_another_person_is_stored_only_when_confirmed(world, format_, named, keys, severe):
    person, hospital = await world.person(), world.people["hospital"]
    content, meta = FORMATS[format_](*named)
    if not keys:
        document = (await world.record.deposit(hospital, person.id, content, meta)).document
        assert (document.findings, document.confirmation) == ((), "")
        return
    with pytest.raises(PersonDiffers) as refused:
        await world.record.deposit(hospital, person.id, content, meta)
    assert refused.value.status == 409
    assert (await world.record.timeline(hospital, person.id)).documents == ()
    [(_, event)] = await world.events(person, DepositRefused)
    assert (event.allowed, event.differs, event.severe) == (False, keys, severe)
    answered = _with(meta, confirmation="Asked her")
    document = (await world.record.deposit(hospital, person.id, content, answered)).document
    assert (document.findings, document.confirmation) == (keys, "Asked her")
    [(_, event)] = await world.events(person, DepositedEvent)
    assert (event.differs, event.justification) == (keys, "Asked her")


def _with(meta: Deposit, **changes) -> Deposit:
    from dataclasses import replace

    return replace(meta, **changes)


@pytest.mark.parametrize(
    "make",
    [
        lambda: (orjson.dumps(fhir_document()), Deposit()),
        lambda: (pdf(), PDF),
        lambda: (pdf(" "), PDF),
        lambda: (image(), Deposit(type="18748-4")),
        letter,
    ],
    ids=["fhir", "pdf", "pdf without text", "image", "text"],
)
async def test_document_without_demographics_is_stored_without_question(world, make):
    person = await world.person()
    document = (await world.record.deposit(world.people["hospital"], person.id, *make())).document
    assert set(document.findings) <= {"subject-not-confirmed"}
    assert await world.events(person, DepositRefused) == []


async def test_reason_is_required_for_a_severe_difference_only(world):
    person, hospital = await world.person(), world.people["hospital"]
    content, meta = fhir("Dupont", "Jeanne", "1961-04-03")
    with pytest.raises(InvalidContent) as refused:
        await world.record.deposit(hospital, person.id, content, _with(meta, confirmation=""))
    assert refused.value.key == "reason-missing"
    content, meta = fhir("Weber", "Eva", "1980-05-17")
    deposited = await world.record.deposit(hospital, person.id, content, _with(meta, confirmation=""))
    assert deposited.document.findings == ("name-differs",)


async def test_confirmation_of_what_does_not_differ_is_not_kept(world):
    person = await world.person()
    content, meta = fhir("Weber", "Anna", "1980-05-17")
    deposited = await world.record.deposit(
        world.people["hospital"], person.id, content, _with(meta, confirmation="To be sure")
    )
    assert (deposited.document.findings, deposited.document.confirmation) == ((), "")


async def test_confirmed_new_version_is_journalled_with_its_reason(world):
    person, hospital = await world.person(), world.people["hospital"]
    first = (await world.record.deposit(hospital, person.id, *fhir("Weber", "Anna", "1980-05-17"))).document
    content, meta = fhir("Weber", "Eva", "1980-05-17")
    await world.record.deposit(hospital, person.id, content, _with(meta, confirmation="Eva is she"), first.id)
    [(_, event)] = await world.events(person, Replaced)
    assert (event.differs, event.justification) == (("name-differs",), "Eva is she")


async def test_note_of_patient_about_somebody_else_is_stored_without_question(world):
    person = await world.person()
    note = Deposit(type="51855-5", title="My mother")
    text = b"My mother, born on 3 April 1961, had the same."
    assert (await world.record.deposit(requester_of(person), person.id, text, note)).document.findings == ()


async def test_who_may_not_write_learns_nothing_of_the_person(world):
    """The decision comes before the comparison: who may not write gets the same answer whatever the document says."""
    closed = await world.person(opened=False)
    answers = []
    async with world.client(world.people["hospital"]) as client:
        for document in (fhir("Weber", "Anna", "1980-05-17"), fhir("Dupont", "Jeanne", "1961-04-03")):
            body = reference(closed, document[0], "application/fhir+json")
            answer = await client.post("/fhir/DocumentReference", json=body)
            answers.append((answer.status_code, answer.json()))
    assert answers[0] == answers[1]
    assert answers[0][0] == 403


async def test_refusal_says_where_what_and_how_without_a_word_of_the_person(world):
    born, number = date(1931, 2, 3), matricule(date(1931, 2, 3), 7)
    person = await world.person("Schwaarzenegger", identifiers=(Identifier(MATRICULE, number),), birth_date=born)
    content, _ = fhir("Dupont", "Jeanne", "1961-04-03")
    async with world.client(world.people["hospital"]) as client:
        good = ({"type": loinc("51852-2")}, letter()[0], "text/plain")
        body = transaction(person, good, ({}, content, "application/fhir+json"))
        answer = await client.post("/fhir", content=body, headers=FHIR)
        assert await world.events(person, DepositedEvent) == []
    assert answer.status_code == 409
    assert check(answer.content).issues == ()
    issues = answer.json()["issue"]
    assert {issue["code"] for issue in issues} == {"conflict"}
    assert {issue["expression"][0] for issue in issues} == {"Bundle.entry[3].resource.content[0].attachment"}
    assert "patient-confirmed" in issues[0]["diagnostics"]
    codes = [issue["details"]["coding"][0]["code"] for issue in issues[1:]]
    assert codes == ["name-differs", "birth-date-differs"]
    assert "Dupont" in issues[1]["diagnostics"] and "1961-04-03" in issues[2]["diagnostics"]
    for secret in ("Schwaarzenegger", "Anna", "1931", number, "female"):
        assert secret not in answer.text


@pytest.mark.parametrize("interaction", ["ITI-65", "ITI-105"])
async def test_extension_confirms_the_person_and_is_shown_to_readers(world, interaction):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    content, _ = fhir("Klein", "Anna", "1980-05-17")
    extension = [{"url": CONFIRMATION_EXTENSION, "valueString": "Klein is her married name"}]
    async with world.client(world.people["hospital"]) as client:
        if interaction == "ITI-65":
            body = transaction(person, ({"extension": extension}, content, "application/fhir+json"))
            answer = await client.post("/fhir", content=body, headers=FHIR)
            stored = answer.json()["entry"][1]["resource"]
            outcome = answer.json()["entry"][1]["response"]["outcome"]["issue"]
            assert "The document does not carry the patient's name." in outcome[0]["diagnostics"]
        else:
            body = reference(person, content, "application/fhir+json", extension=extension)
            answer = await client.post("/fhir/DocumentReference", json=body)
            stored = answer.json()
    assert answer.status_code in (200, 201), answer.text
    async with world.client(world.people["doctor"]) as doctor:
        read = await doctor.get(f"/fhir/DocumentReference/{stored['id']}")
    assert extension[0] in read.json()["extension"]
    codes = [one["valueCoding"]["code"] for one in read.json()["extension"] if "valueCoding" in one]
    assert codes == ["name-differs"]
    assert check(read.content).issues == ()


@pytest.mark.parametrize(
    ("extension", "place"),
    [
        ({"valueBoolean": True}, "extension"),
        ({"valueString": " "}, "extension"),
        ({"valueString": "x" * 501}, "extension"),
    ],
)
async def test_extension_without_a_reason_is_refused(world, extension, place):
    person = await world.person()
    content, _ = fhir("Klein", "Anna", "1980-05-17")
    extensions = [{"url": CONFIRMATION_EXTENSION, **extension}]
    body = reference(person, content, "application/fhir+json", extension=extensions)
    async with world.client(world.people["hospital"]) as client:
        answer = await client.post("/fhir/DocumentReference", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["issue"][0]["expression"][0].startswith("DocumentReference")


@pytest.mark.parametrize("where", ["subject", "sourcePatientInfo", "entry"])
async def test_patient_of_the_request_is_compared_too(world, where):
    person = await world.person()
    local = [{"system": LOCAL, "value": person.identifiers[0].value}]
    patient = {"resourceType": "Patient", "id": "p", "identifier": local, "name": [{"family": "Dupont"}]}
    async with world.client(world.people["hospital"]) as client:
        if where == "entry":
            sent = orjson.loads(transaction(person, ({"type": loinc("51852-2")}, letter()[0], "text/plain")))
            sent["entry"][1]["resource"]["subject"] = {"reference": "urn:uuid:9b2a4f0e-0000-4000-8000-000000000001"}
            sent["entry"].append(
                {
                    "fullUrl": "urn:uuid:9b2a4f0e-0000-4000-8000-000000000001",
                    "resource": patient,
                    "request": {"method": "POST", "url": "Patient"},
                }
            )
            answer = await client.post("/fhir", content=orjson.dumps(sent), headers=FHIR)
        else:
            named = {"reference": "#p"}
            about = {"subject": named} if where == "subject" else {"context": {"sourcePatientInfo": named}}
            body = reference(person, letter()[0], "text/plain", type_="51852-2", contained=[patient], **about)
            answer = await client.post("/fhir/DocumentReference", json=body)
    assert answer.status_code == 409, answer.text
    assert answer.json()["issue"][1]["details"]["coding"][0]["code"] == "name-differs"


async def test_unknown_person_is_refused_like_one_of_whom_the_document_differs(world):
    person = await world.person()
    answers, counts = [], []
    for value in (person.identifiers[0].value, uuid7().hex):
        await world.db.fetchval("DELETE FROM access_attempt")
        content, _ = fhir("Dupont", "Jeanne", "1961-04-03", "male")
        body = reference(person, content, "application/fhir+json")
        body["subject"] = {"identifier": {"system": LOCAL, "value": value}}
        plain = ({"type": loinc("51852-2")}, letter()[0], "text/plain")
        several = orjson.loads(transaction(person, plain, ({}, content, "application/fhir+json")))
        several["entry"][0]["resource"].pop("subject")
        for entry in several["entry"][1::2]:
            entry["resource"]["subject"] = body["subject"]
        async with world.client(world.people["hospital"]) as client:
            one = await client.post("/fhir/DocumentReference", json=body)
            all_ = await client.post("/fhir", content=orjson.dumps(several), headers=FHIR)
        answers.append([(answer.status_code, dict(answer.headers), answer.json()) for answer in (one, all_)])
        counts.append(
            await world.db.fetchval("SELECT sum(attempts) FROM access_attempt WHERE subject LIKE 'unknown%'")
        )
    assert answers[0] == answers[1]
    assert [status for status, _, _ in answers[0]] == [409, 409]
    assert counts[0] == 2


async def test_guessing_at_names_is_refused_after_the_limit_confirmed_or_not(world):
    person = await world.person()
    guesser = requester_of(await world.organization("hospital", "Hôpital du Sud"))
    statuses = []
    with changed_policy(unknown_per_organization=4):
        async with world.client(guesser) as client:
            for number in range(6):
                content, _ = fhir(f"Family{'abcdef'[number]}", "Anna", "1980-05-17")
                extension = [{"url": CONFIRMATION_EXTENSION, "valueString": "I say so"}] if number % 2 else []
                fields = {"extension": extension} if extension else {}
                body = reference(person, content, "application/fhir+json", **fields)
                statuses.append((await client.post("/fhir/DocumentReference", json=body)).status_code)
            right, _ = fhir("Weber", "Anna", "1980-05-17")
            last = await client.post("/fhir/DocumentReference", json=reference(person, right, "application/fhir+json"))
    assert statuses == [409, 201, 409, 201, 429, 429]
    assert last.status_code == 429  # refused before it is compared: right and wrong guesses look alike
    assert len(await world.events(person, DepositRefused)) == 2


async def test_all_documents_are_refused_with_the_one_that_differs(world):
    person, hospital = await world.person(), world.people["hospital"]
    items = [DepositItem(content=content, meta=meta) for content, meta in (letter(), fhir("Klein", "Eva", "1980"))]
    with pytest.raises(PersonDiffers) as refused:
        await world.record.deposit_all(hospital, person.id, items)
    assert refused.value.index == 1
    assert (await world.record.timeline(hospital, person.id)).documents == ()


async def test_check_stores_nothing_and_journals_a_difference(world):
    person, hospital = await world.person(), world.people["hospital"]
    checked = await world.record.check_deposit(hospital, person.id, *fhir("Weber", "Anna", "1980-05-17"))
    assert checked.comparison.differences == ()
    assert await world.events(person, DepositRefused) == []
    checked = await world.record.check_deposit(hospital, person.id, *fhir("Weber", "Eva", "1980-05-17"))
    assert [difference.found for difference in checked.comparison.differences] == ["Eva Weber"]
    [(_, event)] = await world.events(person, DepositRefused)
    assert (event.differs, event.categories) == (("name-differs",), ("discharge_letter",))
    assert (await world.record.timeline(hospital, person.id)).documents == ()


async def test_old_entry_of_a_deposit_is_read_without_the_new_fields():
    import msgspec

    old = msgspec.json.decode(b'{"type":"51852-2","delay":3,"categories":["letter"]}', type=DepositedEvent)
    assert (old.delay, old.differs, old.justification, old.remarks) == (3, (), "", ())
