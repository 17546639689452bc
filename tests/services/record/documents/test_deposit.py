"""Deposit and replacement of documents through the service."""

import asyncio
from datetime import date

import orjson
import pytest

from esante.core.storage import INLINE_LIMIT, NIL, uuid7
from esante.core.web import Problem
from esante.identity.access import Confidentiality, requester_of
from esante.identity.directory import Identifier
from esante.services.record import (
    Deposit,
    DepositedEvent,
    DepositFailed,
    DepositItem,
    InvalidContent,
    Refused,
    Replaced,
    Status,
)
from tests.support.record import cda, fhir_document, image, letter, pdf, refusal_of

MATRICULE = "urn:oid:1.3.182.4.4"


async def test_html_in_text_and_title_is_stored_unchanged(world):
    person = await world.person()
    content, _ = letter("<script>alert(1)</script>")
    meta = Deposit(type="51852-2", title="<img src=x onerror=alert(1)>", media_type="text/plain")
    deposited = await world.record.deposit(world.people["hospital"], person.id, content, meta)
    document, back = await world.record.content(requester_of(person), person.id, deposited.document.id)
    assert (document.title, back) == (meta.title, content)


@pytest.mark.parametrize("expected", ["refused", "confirmed", "not confirmed"])
async def test_patient_named_in_document_is_compared_with_record(world, expected):
    known = "198005179" + _random_digits()
    person = await world.person("Weber-Test", identifiers=(Identifier(MATRICULE, known),))
    patient = {
        "refused": [{"system": MATRICULE, "value": "1980051712345"}],
        "confirmed": [{"system": MATRICULE, "value": known}],
        "not confirmed": [{"system": "urn:oid:2.999.33", "value": "77"}],
    }[expected]
    document = fhir_document()
    document["entry"][1]["resource"]["identifier"] = patient
    deposit = world.record.deposit(world.people["hospital"], person.id, orjson.dumps(document), Deposit())
    if expected == "refused":
        with pytest.raises(InvalidContent) as refused:
            await deposit
        assert refused.value.key == "subject-differs"
    else:
        findings = (await deposit).document.findings
        assert findings == (() if expected == "confirmed" else ("subject-not-confirmed",))


async def test_family_name_and_birth_date_confirm_patient_of_cda(world):
    person = await world.person("Wéber")
    document = (await world.record.deposit(world.people["hospital"], person.id, cda(), Deposit())).document
    assert document.findings == ()
    strange = cda(root="2.999.1", extension=f"5{uuid7().hex}")
    third = await world.person("Weber", identifiers=(Identifier("urn:oid:2.999.1", f"6{uuid7().hex}"),))
    with pytest.raises(InvalidContent):
        await world.record.deposit(world.people["hospital"], third.id, strange, Deposit())


def _random_digits() -> str:
    return f"{uuid7().int % 10_000:04}"


FORMATS = {
    "fhir": lambda: (orjson.dumps(fhir_document()), Deposit()),
    "pdf": lambda: (pdf(), Deposit(type="11504-8", media_type="application/pdf")),
    "cda": lambda: (cda(), Deposit()),
    "png": lambda: (image("PNG"), Deposit(type="18748-4")),
    "jpeg": lambda: (image("JPEG"), Deposit(type="18748-4")),
    "text": letter,
    "large text": lambda: letter("x" * (INLINE_LIMIT + 1) + uuid7().hex),
}


@pytest.mark.parametrize("kind", FORMATS)
async def test_every_format_is_returned_as_deposited(world, kind):
    person = await world.person()
    content, meta = FORMATS[kind]()
    hospital = world.people["hospital"]
    deposited = await world.record.deposit(hospital, person.id, content, meta)
    assert deposited.created
    document, back = await world.record.content(requester_of(person), person.id, deposited.document.id)
    assert back == content
    assert document == deposited.document
    assert document.size == len(content)
    assert document.organization == "Hôpital du Nord"


async def test_metadata_of_cda_is_used(world):
    person = await world.person()
    document = (await world.record.deposit(world.people["hospital"], person.id, cda(), Deposit())).document
    assert (document.type, document.category, document.title, document.language, document.event_date) == (
        "34133-9",
        "patient_summary",
        "Résumé",
        "fr",
        date(2024, 3, 11),
    )


async def test_same_bytes_return_existing_document(world):
    person = await world.person()
    content, meta = letter()
    hospital = world.people["hospital"]
    first = await world.record.deposit(hospital, person.id, content, meta)
    again = await world.record.deposit(hospital, person.id, content, meta)
    assert (first.created, again.created) == (True, False)
    assert again.document == first.document


async def test_concurrent_deposits_of_same_bytes_create_one_document(world):
    person = await world.person()
    content, meta = letter()
    hospital = world.people["hospital"]
    answers = await asyncio.gather(*(world.record.deposit(hospital, person.id, content, meta) for _ in range(32)))
    assert len({answer.document.id for answer in answers}) == 1
    assert sum(answer.created for answer in answers) == 1
    assert len(await world.events(person, DepositedEvent)) == 1


async def test_same_bytes_of_other_depositor_are_revealed_only_if_visible(world):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    content, meta = letter()
    first = await world.record.deposit(world.people["hospital"], person.id, content, meta)
    visible = await world.record.deposit(world.people["doctor"], person.id, content, meta)
    invisible = await world.record.deposit(world.people["other"], person.id, content, meta)
    assert (visible.created, visible.document.id) == (False, first.document.id)
    assert invisible.created


async def test_replacements_form_version_chain(world):
    person = await world.person()
    hospital = world.people["hospital"]
    first = (await world.record.deposit(hospital, person.id, *letter())).document
    second = (await world.record.deposit(hospital, person.id, *letter(), replaces=first.id)).document
    third = (await world.record.deposit(hospital, person.id, *letter(), replaces=second.id)).document
    chain = await world.record.versions(requester_of(person), person.id, first.id)
    assert [(version.id, version.version, version.status) for version in chain] == [
        (third.id, 3, Status.CURRENT),
        (second.id, 2, Status.SUPERSEDED),
        (first.id, 1, Status.SUPERSEDED),
    ]
    listed = await world.record.timeline(requester_of(person), person.id)
    assert [document.id for document in listed.documents] == [third.id]
    assert len(await world.events(person, Replaced)) == 2


async def test_retried_replacement_returns_existing_version(world):
    person = await world.person()
    hospital = world.people["hospital"]
    first = (await world.record.deposit(hospital, person.id, *letter())).document
    new = letter()
    once = await world.record.deposit(hospital, person.id, *new, replaces=first.id)
    twice = await world.record.deposit(hospital, person.id, *new, replaces=first.id)
    assert (twice.created, twice.document.id) == (False, once.document.id)


async def test_concurrent_replacements_create_one_version(world):
    person = await world.person()
    hospital = world.people["hospital"]
    first = (await world.record.deposit(hospital, person.id, *letter())).document
    answers = await asyncio.gather(
        *(world.record.deposit(hospital, person.id, *letter(), replaces=first.id) for _ in range(4)),
        return_exceptions=True,
    )
    refused = [answer for answer in answers if isinstance(answer, Problem)]
    assert [problem.status for problem in refused] == [409, 409, 409]
    assert len(await world.record.versions(hospital, person.id, first.id)) == 2


async def test_replacement_by_other_author_is_refused(world):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    first = (await world.record.deposit(world.people["hospital"], person.id, *letter())).document
    assert await refusal_of(world.record.deposit(world.people["doctor"], person.id, *letter(), replaces=first.id)) == (
        403,
        "forbidden",
    )
    assert await refusal_of(world.record.deposit(world.people["other"], person.id, *letter(), replaces=first.id)) == (
        404,
        "not-found",
    )


async def test_hidden_deposit_by_professional_is_refused(world):
    person = await world.person()
    with pytest.raises(InvalidContent) as refused:
        content, meta = letter(confidentiality=Confidentiality.HIDDEN)
        await world.record.deposit(world.people["hospital"], person.id, content, meta)
    assert refused.value.key == "hidden-by-author"


async def test_deposit_into_closed_record_is_refused_and_journalled(world):
    person = await world.person(opened=False)
    assert await refusal_of(world.record.deposit(world.people["hospital"], person.id, *letter())) == (403, "forbidden")
    [(_, event)] = await world.events(person, Refused)
    assert (event.action, event.allowed, event.rule) == ("deposit", False, "record.none")


async def test_document_that_cannot_be_taken_in_is_journalled(world):
    person, laboratory = await world.person(), world.people["laboratory"]
    meta = Deposit(type="51852-2", media_type="application/pdf")
    for id_ in (person.id, uuid7()):
        assert await refusal_of(world.record.deposit(laboratory, id_, b"no PDF", meta)) == (422, "value")
    [(entry, event)] = await world.events(person, DepositFailed)
    assert (entry.actor.id, event.allowed, event.problem) == (laboratory.id, False, "media-type-differs")
    unknown = await world.journal.entries_of(NIL, [DepositFailed], limit=5)
    assert [one.event.problem for one in unknown] == ["media-type-differs"]


async def test_deposit_for_unknown_person_is_refused(world):
    assert await refusal_of(world.record.deposit(world.people["hospital"], uuid7(), *letter())) == (422, "not-found")


async def test_author_must_be_practitioner_of_depositing_organisation(world):
    person = await world.person()
    surgeon = world.people["surgeon"]
    content, meta = letter(author_id=surgeon.id)
    document = (await world.record.deposit(world.people["hospital"], person.id, content, meta)).document
    assert (document.author_id, document.author, document.organization_id) == (
        surgeon.id,
        "Marc Kieffer",
        world.people["hospital"].id,
    )
    content, meta = letter(author_id=world.people["doctor"].id)
    with pytest.raises(InvalidContent) as refused:
        await world.record.deposit(world.people["hospital"], person.id, content, meta)
    assert refused.value.key == "author-unknown"


async def test_deposit_of_several_documents_is_atomic(world):
    person = await world.person()
    hospital = world.people["hospital"]
    items = [DepositItem(content=content, meta=meta) for content, meta in (letter(), letter())]
    broken = DepositItem(content=letter()[0], meta=Deposit(type="51852-2", media_type="application/pdf"))
    with pytest.raises(InvalidContent):
        await world.record.deposit_all(hospital, person.id, [*items, broken])
    assert (await world.record.timeline(hospital, person.id)).documents == ()
    absent = DepositItem(content=letter()[0], meta=letter()[1], replaces=uuid7())
    assert await refusal_of(world.record.deposit_all(hospital, person.id, [*items, absent])) == (404, "not-found")
    assert (await world.record.timeline(hospital, person.id)).documents == ()
    results = await world.record.deposit_all(hospital, person.id, [*items, items[0]])
    assert [result.created for result in results] == [True, True, False]
