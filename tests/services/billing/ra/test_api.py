"""The REST service of RA, path by path, and who gets what, over a real database."""

import io
import zipfile
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from urllib.parse import quote
from uuid import uuid4

import pytest

from esante.core.storage import NIL
from esante.core.time_zone import today
from esante.core.web import NOT_FOUND
from esante.services.billing.note import note_store
from esante.services.billing.note.faults import BadNote
from esante.services.billing.note.model import NoteKept
from esante.services.billing.note.national_xml import read_note, write_note
from esante.services.billing.note.package import file_name, pack
from esante.services.billing.ra import reimbursement_store
from esante.services.billing.ra.model import NoteConsentChanged, NoteRefused, ReimbursementChanged, State
from tests.support.billing import ssn
from tests.support.fee_notes import a_line
from tests.support.record import acting_for

ZIP = {"Content-Type": "application/zip"}


async def deposit(world, person, note=None, **changes):
    """Deposit a note as the doctor; return it with the answer."""
    note = note or world.note(person, **changes)
    async with world.client("doctor") as client:
        path = f"/practitioner/{world.ehealth_id()}/person/{ssn(person)}/document"
        return note, await client.post(path, content=pack(note), headers=ZIP)


async def set_state(world, person, note, state, **changes):
    """Let a note be as far as the insurance brought it."""
    async with world.db.transaction() as conn:
        one = await reimbursement_store.fetch(conn, person.id, note.id, lock=True)
        changed = replace(one, state=state, tried=True, secu_id=changes.pop("secu_id", uuid4()), **changes)
        await world.ra.store(conn, None, await note_store.fetch_note(conn, person.id, note.id), one, changed)


# Deposits


async def test_deposited_note_is_answered_as_document_of_the_interface(world):
    person = await world.person()
    note, response = await deposit(world, person)
    assert response.status_code == 200, response.text
    found = response.json()
    assert found["uuid"] == str(note.id)
    assert (found["status"], found["docType"], found["isPaid"]) == ("RECEIVED", "MH", True)
    assert (found["price"], found["amount"]) == (57.7, "57.70")
    assert found["ssn"] == ssn(person)
    assert found["practitionerLastName"] == "Doctor"
    assert found["memoireDate"].startswith(note.issued_on.isoformat())
    assert found["remarks"] == found["anomalies"] == []


async def test_unpaid_note_is_kept_as_unpaid(world):
    person = await world.person()
    note = world.note(person)
    note = replace(note, settlement=replace(note.settlement, settled=False, settled_on=None))
    _, response = await deposit(world, person, note)
    assert response.json()["isPaid"] is False


async def test_second_deposit_of_a_uuid_is_a_conflict(world):
    person = await world.person()
    note, _ = await deposit(world, person)
    _, response = await deposit(world, person, note)
    assert response.status_code == 409
    assert str(note.id) in response.json()["detail"]
    assert len(await world.events(person, NoteKept)) == 1


async def test_quirk_is_accepted_with_remark_and_valid_note_is_kept(world):
    person = await world.person()
    note = world.note(person, hospital_name="Kirchberg")
    short = write_note(note).replace(b"Kirchberg".ljust(100), b"Kirchberg")
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(file_name(note), short)
    path = f"/practitioner/{world.ehealth_id()}/person/{ssn(person)}/document"
    async with world.client("doctor") as client:
        response = await client.post(path, content=data.getvalue())
    assert response.status_code == 200
    assert [one["place"].rpartition("/")[2] for one in response.json()["remarks"]] == ["nomHopitalAssociation"]
    row = await world.db.fetchrow("SELECT body FROM billing_note WHERE note_id = $1", note.id)
    assert read_note(row["body"]).note == note


async def test_wrong_check_digits_are_a_remark(world):
    number = "1955010100100"
    person = await world.person(identifiers=(replace((await world.person()).identifiers[0], value=number),))
    _, response = await deposit(world, person)
    assert response.status_code == 200
    assert "test numbers" in response.json()["remarks"][0]["text"]


def zipped(name: str, content: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(name, content)
    return data.getvalue()


async def test_bad_deposits_are_answered_with_cause_place_and_remedy_and_journalled(world):
    person = await world.person()
    note = world.note(person)
    other = world.note(person, biller="other")
    old, tomorrow = today() - timedelta(days=900), today() + timedelta(days=1)
    cases = [
        (b"no zip", 400, ""),
        (zipped(file_name(note), b"<a/>"), 400, "/"),
        (zipped(file_name(note), write_note(note).replace(b"<nombre>1<", b"<nombre>0<")), 400, "nombre"),
        (zipped(file_name(other), write_note(note)), 400, "UUID"),
        (pack(other), 400, "codePrestataire"),
        (pack(world.note(person, a_line(gross="-5.00"))), 400, "montantBrut"),
        (pack(world.note(person, a_line(gross="999999.00"))), 400, "montantBrut"),
        (pack(world.note(person, a_line(on=old), issued_on=old)), 400, "dateMemoireHonoraires"),
        (pack(world.note(person, issued_on=tomorrow)), 400, "dateMemoireHonoraires"),
        (pack(replace(note, settlement=replace(note.settlement, currency="USD"))), 400, "devise"),
        (pack(world.note(await world.person())), 403, "matricule"),
    ]
    async with world.client("doctor") as client:
        path = f"/practitioner/{world.ehealth_id()}/person/{ssn(person)}/document"
        for package, status, place in cases:
            response = await client.post(path, content=package)
            found = response.json()
            assert response.status_code == status, found
            assert place in str(found.get("faults", found)), found
            assert found["error_description"]
            assert found["remedy"]
    assert await world.events(person, NoteKept) == []
    count = await world.db.fetchval("SELECT count(*) FROM billing_reimbursement WHERE person_id = $1", person.id)
    assert count == 0
    refused = await world.journal.entries_of(NIL, [NoteRefused], limit=100)
    assert len(refused) >= len(cases)


async def test_refusal_is_in_the_language_of_the_request(world):
    person = await world.person()
    path = f"/practitioner/{world.ehealth_id()}/person/{ssn(person)}/document"
    package = pack(world.note(person, a_line(gross="-5.00")))
    async with world.client("doctor") as client:
        for language, words in (("fr", "négatif"), ("de", "negativ"), ("lb", "negativ"), ("en", "negative")):
            response = await client.post(path, content=package, headers={"Accept-Language": language})
            assert words in response.json()["faults"][0]["text"]
            assert words in response.json()["error_description"]


async def test_note_for_somebody_dead_is_refused_from_the_day_after(world):
    person = await world.person()
    died = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
    await world.directory.mark_deceased(person.id, died, actor=world.people["operator"].actor)
    _, response = await deposit(world, person)
    assert response.status_code == 200
    note = world.note(person, a_line(on=date(2026, 11, 21)), issued_on=date(2026, 11, 21))
    _, response = await deposit(world, person, note)
    assert response.status_code == 400
    assert "death" in response.json()["error_description"]


async def test_unknown_person_is_not_found(world):
    person = await world.person()
    note = world.note(person)
    note = replace(note, patient=replace(note.patient, matricule="1899010100000"))
    path = f"/practitioner/{world.ehealth_id()}/person/1899010100000/document"
    async with world.client("doctor") as client:
        response = await client.post(path, content=pack(note))
    assert response.status_code == 404


async def test_body_over_bound_is_refused(world):
    person = await world.person()
    path = f"/practitioner/{world.ehealth_id()}/person/{ssn(person)}/document"
    async with world.client("doctor") as client:
        response = await client.post(path, content=bytes(9 * 1024 * 1024))
    assert response.status_code == 413
    assert response.json()["error"] == "too-long"


async def test_note_under_code_of_practice_is_accepted(world):
    person = await world.person()
    practice = await world.directory.organization(world.people["practice"].organization_id)
    note = world.note(person)
    note = replace(note, biller=replace(note.biller, provider_code=practice.identifiers[0].value))
    _, response = await deposit(world, person, note)
    assert response.status_code == 200


async def test_note_of_another_way_is_kept_or_refused_alike(world):
    person, doctor, biller = await world.person(), world.people["doctor"], world.entries["doctor"]
    progress = await world.ra.deposit_note(doctor, biller, world.note(person))
    assert progress.reimbursement.state is State.RECEIVED
    with pytest.raises(BadNote, match="right form"):
        await world.ra.deposit_note(doctor, biller, world.note(person, number="x" * 101))
    with pytest.raises(BadNote, match="negative"):
        await world.ra.deposit_note(doctor, biller, world.note(person, a_line(gross="-1.00")))


# Who gets what


async def test_access_matrix(world):
    """Every requester against every path; the same answer for what is refused as for what is not there."""
    person, another = await world.person(), await world.person()
    note, _ = await deposit(world, person)
    number, eid = ssn(person), world.ehealth_id()
    await world.team.add(world.people["doctor"], eid, world.ehealth_id("secretary"))
    paths = {
        "biller's note": f"/practitioner/{eid}/person/{number}/document/{note.id}",
        "biller's list": f"/practitioner/{eid}/documents",
        "team": f"/practitioner/{eid}/members",
        "note": f"/person/{number}/document/{note.id}",
        "pdf": f"/person/{number}/document/{note.id}/pdf",
        "list": f"/person/{number}/documents",
        "at insurance": f"/person/{number}/cns/documents",
        "consents": f"/person/{number}/consents",
    }
    allowed = {
        "patient": {"note", "pdf", "list", "at insurance", "consents"},
        "doctor": {"biller's note", "biller's list", "team", "note", "pdf"},
        "secretary": {"biller's note", "biller's list"},
        "practice": {"biller's note", "biller's list", "note", "pdf"},
        "cns": {"list", "at insurance"},
        "other": set(),
        "elsewhere": set(),
        "operator": set(),
        "another person": set(),
    }
    holders = {"patient": person, "another person": another}
    for name, may in allowed.items():
        async with world.client(holders.get(name, name)) as client:
            for path_name, path in paths.items():
                response = await client.get(path)
                expected = (200, 204) if path_name in may else (404,)
                assert response.status_code in expected, (name, path_name, response.text)
                if path_name not in may:
                    assert response.json()["error_description"] == NOT_FOUND
    async with world.client("cns") as client:
        assert (await client.get(paths["list"])).json() == []


async def test_insurance_does_not_learn_who_is_known(world):
    person = await world.person()
    await deposit(world, person)
    async with world.client("cns") as client:
        answers = [await client.get(f"/person/{number}/documents") for number in (ssn(person), "1899010100000")]
        assert [(one.status_code, one.json()) for one in answers] == [(200, []), (200, [])]
        path = "/person/{}/document/" + str(uuid4())
        refused = [await client.get(path.format(number)) for number in (ssn(person), "1899010100000")]
        assert refused[0].json() == refused[1].json()


async def test_faulty_note_does_not_tell_who_is_known(world):
    note = world.note(await world.person(), a_line(gross="-1.00"))
    unknown = replace(note, patient=replace(note.patient, matricule="1899010100000"))
    async with world.client("doctor") as client:
        path = f"/practitioner/{world.ehealth_id()}/person/"
        answers = [
            await client.post(f"{path}{one.patient.matricule}/document", content=pack(one)) for one in (note, unknown)
        ]
    assert [one.status_code for one in answers] == [400, 400]
    assert answers[0].json() == answers[1].json()


async def test_insurance_reads_note_once_it_has_it(world):
    person = await world.person()
    note, _ = await deposit(world, person)
    path = f"/person/{ssn(person)}/document/{note.id}"
    async with world.client("cns") as client:
        assert (await client.get(path)).status_code == 404
        await set_state(world, person, note, State.SENT)
        assert (await client.get(path)).json()["status"] == "SENT"
        assert len((await client.get(f"/person/{ssn(person)}/documents")).json()) == 1


async def test_without_token_or_scope_nothing_is_told(world):
    person = await world.person()
    note, _ = await deposit(world, person)
    path = f"/person/{ssn(person)}/document/{note.id}"
    async with world.client(person, "patient/Observation.rs") as client:
        assert (await client.get(path)).status_code == 403
        assert (await client.put(path)).status_code == 403
        response = await client.get(path, headers={"Authorization": "Bearer wrong"})
        assert response.status_code == 401
    async with world.client(person, "patient/Claim.r") as client:
        assert (await client.get(path)).status_code == 200
        assert (await client.put(path)).status_code == 403


async def test_representative_acts_for_patient(world):
    person, mother = await world.person(), await world.person()
    note, _ = await deposit(world, person)
    async with world.client(acting_for(mother, person)) as client:
        assert (await client.get(f"/person/{ssn(person)}/document/{note.id}")).status_code == 200
        assert (await client.get(f"/person/{ssn(mother)}/documents")).status_code == 404


async def test_single_note_has_its_xml_and_pdf(world):
    person = await world.person()
    note, _ = await deposit(world, person)
    async with world.client(person) as client:
        found = (await client.get(f"/person/{ssn(person)}/document/{note.id}")).json()
        assert read_note(b64decode(found["file"])).note == note
        response = await client.get(f"/person/{ssn(person)}/document/{note.id}/pdf")
    assert response.headers["content-type"] == "application/pdf"
    assert response.headers["cache-control"] == "no-store"
    assert response.content.startswith(b"%PDF-")


@pytest.mark.parametrize(
    "path",
    [
        "/person/1/documents",
        "/person/19000101000001/documents",
        "/person/١٩٠٠٠١٠١٠٠٠٠٠/documents",
        "/practitioner/1/documents",
        "/practitioner/0000000000/documents",
        "/person/{ssn}/document/no-uuid",
        "/person/{ssn}/document/no-uuid/pdf",
    ],
)
async def test_path_of_another_form_is_not_found(world, path):
    person = await world.person()
    async with world.client(person) as client:
        assert (await client.get(path.replace("{ssn}", ssn(person)))).status_code == 404


async def test_lists_are_paged(world):
    person = await world.person()
    notes = [(await deposit(world, person))[0] for _ in range(5)]
    async with world.client(person) as client:
        found, path = [], f"/person/{ssn(person)}/documents?size=2"
        while path:
            response = await client.get(path)
            found += [one["uuid"] for one in response.json()]
            path = response.links.get("next", {}).get("url", "").removeprefix("/ra/v1")
        assert found == [str(one.id) for one in notes[::-1]]
        for wrong in ("page=-1", "size=0", "size=101", "page=x", "size=٢", "page=" + "9" * 30):
            assert (await client.get(f"/person/{ssn(person)}/documents?{wrong}")).status_code == 400


async def test_list_of_biller_is_narrowed_to_days(world):
    person = await world.person()
    note, _ = await deposit(world, person)
    day = today()
    async with world.client("doctor") as client:
        path = f"/practitioner/{world.ehealth_id()}/documents"
        within = await client.get(path, params={"createdFrom": str(day), "createdTo": str(day)})
        assert within.json()[0]["uuid"] == str(note.id)
        before = await client.get(path, params={"createdTo": str(day - timedelta(days=1))})
        assert before.json() == []
        assert (await client.get(path, params={"createdFrom": "yesterday"})).status_code == 400


# Cancelling, sending


async def test_note_that_insurance_never_got_is_cancelled_at_once(world):
    person = await world.person()
    note, _ = await deposit(world, person)
    path = f"/practitioner/{world.ehealth_id()}/person/{ssn(person)}/document/{note.id}"
    async with world.client("doctor") as client:
        reason = {"X-Cancel-Reason": quote("mauvais code – refait")}
        response = await client.patch(path, headers=reason)
        assert response.json()["status"] == "CANCELED"
        assert (await client.patch(path)).status_code == 409
    async with world.client(person) as client:
        assert (await client.put(f"/person/{ssn(person)}/document/{note.id}")).status_code == 409
    row = await world.db.fetchrow("SELECT cancel_reason FROM billing_reimbursement WHERE note_id = $1", note.id)
    assert row["cancel_reason"] == "mauvais code – refait"


async def test_note_at_insurance_waits_for_its_cancellation(world):
    person = await world.person()
    note, _ = await deposit(world, person)
    await set_state(world, person, note, State.SENT)
    path = f"/practitioner/{world.ehealth_id()}/person/{ssn(person)}/document/{note.id}"
    async with world.client("doctor") as client:
        assert (await client.patch(path)).json()["status"] == "CANCEL_ASKED"


async def test_replacement_keeps_both_or_none(world):
    person = await world.person()
    note, _ = await deposit(world, person)
    path = f"/practitioner/{world.ehealth_id()}/person/{ssn(person)}/document/{note.id}"
    async with world.client("doctor") as client:
        assert (await client.patch(path, content=pack(note))).status_code == 409
        assert (await client.get(path)).json()["status"] == "RECEIVED"
        better = world.note(person, a_line(gross="60.00"))
        response = await client.patch(path, content=pack(better))
        assert response.json()["uuid"] == str(better.id)
        assert response.json()["replaces"] == str(note.id)
        old = (await client.get(path)).json()
        assert (old["status"], old["replacedBy"]) == ("CANCEL_REPLACED", str(better.id))


async def test_only_the_biller_cancels(world):
    person = await world.person()
    note, _ = await deposit(world, person)
    for name in ("other", "secretary", "cns", "operator", person):
        async with world.client(name) as client:
            for eid in (world.ehealth_id(), world.ehealth_id("other")):
                path = f"/practitioner/{eid}/person/{ssn(person)}/document/{note.id}"
                expected = 404
                if name == "secretary":
                    await world.team.add(world.people["doctor"], world.ehealth_id(), world.ehealth_id("secretary"))
                    await world.team.remove(world.people["doctor"], world.ehealth_id(), world.ehealth_id("secretary"))
                assert (await client.patch(path)).status_code == expected


async def test_patient_asks_once_for_the_money(world):
    person = await world.person()
    note, _ = await deposit(world, person)
    path = f"/person/{ssn(person)}/document/{note.id}"
    async with world.client(person) as client:
        for _ in range(3):
            response = await client.put(path)
            assert (response.status_code, response.json()["status"]) == (200, "REIMBURSEMENT_ASKED")
    assert len(await world.events(person, ReimbursementChanged)) == 1
    for name in ("doctor", "cns", "operator", await world.person()):
        async with world.client(name) as client:
            assert (await client.put(path)).status_code == 404


# Delegation


async def test_secretary_acts_while_the_delegation_lasts(world):
    person, eid = await world.person(), world.ehealth_id()
    number = world.ehealth_id("secretary")
    path = f"/practitioner/{eid}/person/{ssn(person)}/document"
    async with world.client("doctor") as doctor, world.client("secretary") as secretary:
        assert (await secretary.post(path, content=pack(world.note(person)))).status_code == 404
        assert (await doctor.get(f"/practitioner/{eid}/member/{number}")).status_code == 404
        assert (await doctor.post(f"/practitioner/{eid}/member/{number}")).status_code == 200
        assert (await doctor.get(f"/practitioner/{eid}/member/{number}")).json()["identifier"] == number
        members = (await doctor.get(f"/practitioner/{eid}/members")).json()
        assert [one["identifier"] for one in members["members"]] == [number]
        assert (await secretary.post(path, content=pack(world.note(person)))).status_code == 200
        assert (await secretary.get(f"/practitioner/{eid}/members")).status_code == 404
        assert (await secretary.post(f"/practitioner/{eid}/member/{world.ehealth_id('other')}")).status_code == 404
        assert (await doctor.delete(f"/practitioner/{eid}/member/{number}")).status_code == 200
        assert (await secretary.post(path, content=pack(world.note(person)))).status_code == 404
    entries = await world.journal.entries_of(person.id, [NoteKept], limit=10)
    assert [(one.actor.name, one.actor.delegate) for one in entries] == [("Dr Marc Doctor", "Dr Marc Secretary")]


async def test_who_works_elsewhere_is_no_member(world):
    path = f"/practitioner/{world.ehealth_id()}/member/{world.ehealth_id('other')}"
    async with world.client("doctor") as client:
        assert (await client.post(path)).status_code == 400
        assert (await client.post(path[:-10] + "0000000000")).status_code == 404


# Consents


def until(days: int = 30) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


async def test_consent_is_unique_dated_and_revocable(world):
    person = await world.person()
    path = f"/person/{ssn(person)}"
    async with world.client(person) as client:
        assert (await client.get(f"{path}/consents")).status_code == 204
        given = await client.post(f"{path}/consent", json={"type": "CNS_AUTO", "endAt": until()})
        assert given.status_code == 200
        assert given.json()["author"] == person.name
        assert (await client.post(f"{path}/consent", json={"type": "CNS_AUTO", "endAt": until()})).status_code == 302
        assert (await client.get(f"{path}/consent/CNS_AUTO")).json() == given.json()
        assert (await client.delete(f"{path}/consent/CNS_AUTO")).status_code == 200
        assert (await client.get(f"{path}/consent/CNS_AUTO")).status_code == 404
        assert (await client.delete(f"{path}/consent/CNS_AUTO")).status_code == 404
        assert (await client.post(f"{path}/consent", json={"type": "CNS_AUTO", "endAt": until()})).status_code == 200
    assert await world.db.fetchval("SELECT count(*) FROM billing_consent WHERE person_id = $1", person.id) == 2
    assert [one.ended for one in await world.events(person, NoteConsentChanged)] == [False, True, False]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'{"type": "XX", "endAt": "2099-01-01T00:00:00Z"}',
        b'{"type": "CNS", "endAt": "2000-01-01T00:00:00Z"}',
        b'{"type": "CNS", "endAt": "soon"}',
        b'{"type": "CNS"}',
        b'{"endAt": "2099-01-01T00:00:00Z"}',
        b'{"type": {}, "endAt": 7}',
    ],
)
async def test_bad_consent_is_refused(world, body):
    person = await world.person()
    async with world.client(person) as client:
        response = await client.post(f"/person/{ssn(person)}/consent", content=body)
    assert response.status_code == 400
    assert response.json()["error_description"]


async def test_professional_records_only_some_consents(world):
    person = await world.person()
    path = f"/practitioner/{ssn(person)}/consent"
    async with world.client("doctor") as client:
        assert (await client.post(path, json={"type": "MH", "endAt": until()})).status_code == 200
        assert (await client.get(f"{path}/MH")).json()["author"] == "Dr Marc Doctor"
        for kind in ("CNS", "CNS_AUTO"):
            assert (await client.post(path, json={"type": kind, "endAt": until()})).status_code == 404
            assert (await client.get(f"{path}/{kind}")).status_code == 404
    for name in ("cns", "practice", "operator", await world.person()):
        async with world.client(name) as client:
            assert (await client.post(path, json={"type": "MH", "endAt": until()})).status_code == 404


async def test_deposit_is_refused_after_consent_was_ended(world):
    person = await world.person()
    assert (await deposit(world, person))[1].status_code == 200
    async with world.client(person) as client:
        await client.post(f"/person/{ssn(person)}/consent", json={"type": "MH", "endAt": until()})
        assert (await deposit(world, person))[1].status_code == 200
        await client.delete(f"/person/{ssn(person)}/consent/MH")
    _, response = await deposit(world, person)
    assert response.status_code == 403
    assert "paper" in response.json()["remedy"]


async def test_sending_is_refused_after_consent_was_ended(world):
    person = await world.person()
    note, _ = await deposit(world, person)
    async with world.client(person) as client:
        await client.post(f"/person/{ssn(person)}/consent", json={"type": "CNS", "endAt": until()})
        await client.delete(f"/person/{ssn(person)}/consent/CNS")
        assert (await client.put(f"/person/{ssn(person)}/document/{note.id}")).status_code == 403


async def test_person_info_is_for_patients(world):
    person = await world.person()
    async with world.client(person) as client:
        found = (await client.get("/person/info")).json()
    assert found == {"firstname": "Anna", "lastname": person.family, "ssn": ssn(person)}
    async with world.client("doctor") as client:
        assert (await client.get("/person/info")).status_code == 403


# The insurance reports


def report(person, note, secu_id, amount="50.78"):
    return {
        "ssn": ssn(person),
        "uuidPrestataire": str(note.id),
        "uuidSecu": str(secu_id),
        "amount": amount,
        "on": "2026-11-25",
    }


async def test_report_of_insurance_counts_once(world):
    person, secu_id = await world.person(), uuid4()
    note, _ = await deposit(world, person)
    await set_state(world, person, note, State.REIMBURSEMENT_ASKED, secu_id=secu_id)
    async with world.client("cns") as client:
        for _ in range(2):
            response = await client.post("/cns/reimbursements", json=report(person, note, secu_id))
            assert response.json()["status"] == "REIMBURSEMENT_SENT"
            assert response.json()["reimbursed"] == "50.78"
        later = await client.post("/cns/reimbursements", json=report(person, note, secu_id, "99.00"))
        assert later.json()["reimbursed"] == "50.78"
        assert [one["code"] for one in later.json()["anomalies"]] == ["AMOUNT"]
    changed = await world.events(person, ReimbursementChanged)
    assert [one.amount for one in changed if one.amount] == ["50.78"]


async def test_report_of_others_or_of_unknown_notes_is_not_found(world):
    person, secu_id = await world.person(), uuid4()
    note, _ = await deposit(world, person)
    async with world.client("cns") as client:
        assert (await client.post("/cns/reimbursements", json=report(person, note, secu_id))).status_code == 404
        await set_state(world, person, note, State.SENT, secu_id=secu_id)
        assert (await client.post("/cns/reimbursements", json=report(person, note, uuid4()))).status_code == 404
    for name in ("doctor", "practice", "operator", person):
        async with world.client(name) as client:
            assert (await client.post("/cns/reimbursements", json=report(person, note, secu_id))).status_code == 404


@pytest.mark.parametrize(
    "change",
    [{"amount": "-1"}, {"amount": "NaN"}, {"amount": "1e9"}, {"amount": "1.001"}, {"on": "x"}, {"uuidSecu": "x"}],
)
async def test_bad_report_is_refused(world, change):
    person = await world.person()
    body = report(person, world.note(person), uuid4()) | change
    async with world.client("cns") as client:
        assert (await client.post("/cns/reimbursements", json=body)).status_code == 400
