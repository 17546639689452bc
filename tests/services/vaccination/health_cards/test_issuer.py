"""Cards of persons: what is on them, who can make them, how they and their keys end."""

import stat

import httpx
import orjson
import pytest
from starlette.applications import Starlette

from esante.core import clock
from esante.core.journal import advance
from esante.core.storage import NIL, uuid7
from esante.core.web import HANDLERS, Problem
from esante.identity.access import requester_of
from esante.services.vaccination.health_cards import api, issuer
from esante.services.vaccination.health_cards.codec import MAX_QR_JWS, card_file, inflate, to_digits
from esante.services.vaccination.health_cards.model import (
    HealthCardIssued,
    HealthCardKeyRotated,
    HealthCardRevoked,
    Result,
)
from esante.services.vaccination.health_cards.trust import by_address
from esante.services.vaccination.health_cards.verifier import verify
from tests.services.vaccination.card.test_service import person_with_doctor
from tests.support.health_cards import run_node
from tests.support.record import BASE
from tests.support.vaccination import copied, given, refused


async def vaccinated(world, cards, count: int = 2, **fields):
    """A person with so many doses that a doctor copied; the person and the doctor as requesters."""
    person, doctor = await person_with_doctor(world)
    doses = [copied(f"20{10 + number:02d}-03-0{1 + number % 9}", **fields) for number in range(count)]
    if doses:
        await cards.enter(doctor, person.id, doses)
    return requester_of(person), doctor


async def issue(proofs, patient):
    doses = await proofs.provable_doses(patient)
    return await proofs.issue(patient, {dose.id for dose in doses})


async def result_of(proofs, text: str) -> Result:
    (found,) = verify(text, by_address([await proofs.trusted()]), clock.now().timestamp())
    return found.result


async def test_card_is_valid_minimal_and_journalled_without_its_content(world, cards, proofs):
    patient, _ = await vaccinated(world, cards, 2, place="Cabinet")
    card = await issue(proofs, patient)
    (found,) = verify(card.jws, by_address([await proofs.trusted()]), clock.now().timestamp())
    assert found.result is Result.VALID
    entries = found.bundle["entry"]
    assert [one["fullUrl"] for one in entries] == ["resource:0", "resource:1", "resource:2"]
    who, first, _ = (one["resource"] for one in entries)
    assert who == {
        "resourceType": "Patient",
        "name": [{"family": "Weber", "given": ["Anna"]}],
        "birthDate": "1980-05-17",
    }
    assert first == {
        "resourceType": "Immunization",
        "status": "completed",
        "vaccineCode": {"coding": first["vaccineCode"]["coding"]},
        "patient": {"reference": "resource:0"},
        "occurrenceDateTime": "2010-03-01",
        "performer": [{"actor": {"display": "Cabinet"}}],
        "lotNumber": "OLD1",
    }
    assert all(set(one) == {"system", "code"} for one in first["vaccineCode"]["coding"])
    assert str(patient.id) not in inflate_of(card.jws) and patient.id.hex not in inflate_of(card.jws)
    ((entry, event),) = await world.events(await world.directory.person(patient.id), HealthCardIssued)
    assert (entry.actor.id, event.card_id, event.doses) == (patient.id, card.card_id, 2)
    assert card.rid not in repr(event) and card.jws not in repr(event)


def inflate_of(jws: str) -> str:
    from joserfc.jws import extract_compact

    return inflate(extract_compact(jws.encode()).payload).decode()


async def test_only_confirmed_doses_with_a_date_can_be_on_a_card(world, cards, proofs):
    person, doctor = await person_with_doctor(world)
    (kept,) = await cards.enter(doctor, person.id, [given()])
    await cards.enter(doctor, person.id, [refused()])
    wrong = (await cards.enter(doctor, person.id, [copied("2012-01-01")]))[0]
    await cards.withdraw(doctor, person.id, wrong, "1", "entered for somebody else")
    patient = requester_of(person)
    assert [dose.id for dose in await proofs.provable_doses(patient)] == [kept]
    with pytest.raises(Problem, match="could not find"):
        await proofs.issue(patient, {kept, wrong})


async def test_doses_of_somebody_else_and_of_nobody_are_refused_alike(world, cards, proofs):
    patient, doctor = await vaccinated(world, cards)
    other, _ = await vaccinated(world, cards)
    foreign = {dose.id for dose in await proofs.provable_doses(other)}
    for chosen in (foreign, {uuid7()}):
        with pytest.raises(Problem) as refusal:
            await proofs.issue(patient, chosen)
        assert refusal.value.status == 404
    with pytest.raises(Problem) as refusal:
        await proofs.issue(patient, set())
    assert refusal.value.status == 400
    with pytest.raises(Problem) as refusal:
        await proofs.issue(doctor, foreign)
    assert refusal.value.status == 403
    card = await issue(proofs, other)
    for act in (proofs.find, proofs.revoke):
        with pytest.raises(Problem) as refusal:
            await act(patient, card.card_id)
        assert refusal.value.status == 404
    assert await result_of(proofs, card.jws) is Result.VALID


async def test_more_doses_than_a_code_holds_are_refused_and_few_fit(world, cards, proofs):
    person, doctor = await person_with_doctor(world)
    doses = [
        copied(f"{year}-0{m}-1{m}", lot=uuid7().hex[-9:], place=uuid7().hex)
        for year in range(2000, 2010)
        for m in (2, 7)
    ]
    await cards.enter(doctor, person.id, doses)
    patient = requester_of(person)
    provable = await proofs.provable_doses(patient)
    with pytest.raises(Problem) as refusal:
        await proofs.issue(patient, {dose.id for dose in provable})
    assert (refusal.value.status, refusal.value.place) == (400, "doses")
    assert len((await proofs.issue(patient, {dose.id for dose in provable[:5]})).jws) <= MAX_QR_JWS


async def test_so_many_valid_cards_and_no_more(world, cards, proofs, monkeypatch):
    monkeypatch.setattr(issuer, "MAX_CARDS", 2)
    patient, _ = await vaccinated(world, cards)
    first, _ = await issue(proofs, patient), await issue(proofs, patient)
    with pytest.raises(Problem) as refusal:
        await issue(proofs, patient)
    assert refusal.value.status == 409
    await proofs.revoke(patient, first.card_id)
    assert await issue(proofs, patient)


async def test_revoked_card_is_invalid_published_and_journalled_once(world, cards, proofs):
    patient, _ = await vaccinated(world, cards)
    card, other = await issue(proofs, patient), await issue(proofs, patient)
    before = {key.kid: key.crl_version for key in await proofs.published_keys()}
    await proofs.revoke(patient, card.card_id)
    await proofs.revoke(patient, card.card_id)
    assert await result_of(proofs, card.jws) is Result.REVOKED
    assert await result_of(proofs, other.jws) is Result.VALID
    (key,) = [key for key in await proofs.published_keys() if key.kid == card.kid]
    assert card.rid in key.rids and key.crl_version == before[card.kid] + 1
    assert len(await world.events(await world.directory.person(patient.id), HealthCardRevoked)) == 1
    assert [one.jws for one in await proofs.cards_of(patient) if one.card_id == card.card_id] == [""]
    with pytest.raises(Problem):
        await proofs.find(patient, card.card_id)


async def test_card_with_a_dose_that_was_an_error_is_revoked_and_others_stay_valid(world, cards, proofs):
    patient, doctor = await vaccinated(world, cards, 2)
    first, second = await proofs.provable_doses(patient)
    wrong, right = [await proofs.issue(patient, {dose.id}) for dose in (first, second)]
    await cards.withdraw(doctor, patient.id, first.id, first.version, "entered for somebody else")
    await world.journal.sealer.seal_all()
    for _ in range(2):
        while await advance(world.db, proofs.consumer):
            pass
    assert await result_of(proofs, wrong.jws) is Result.REVOKED
    assert await result_of(proofs, right.jws) is Result.VALID
    ((entry, event),) = await world.events(await world.directory.person(patient.id), HealthCardRevoked)
    assert (entry.actor.kind, event.card_id, event.cause) == ("system", wrong.card_id, "correction")


async def test_rotated_key_keeps_cards_valid_and_its_private_half_is_gone(world, cards, proofs, key_file):
    patient, _ = await vaccinated(world, cards)
    card, path = await issue(proofs, patient), key_file
    before = path.read_bytes()
    key = await proofs.rotate()
    assert path.read_bytes() != before and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    later = await issue(proofs, patient)
    assert (card.kid != key.kid, later.kid == key.kid) == (True, True)
    assert await result_of(proofs, card.jws) is Result.VALID
    assert await result_of(proofs, later.jws) is Result.VALID
    published = {one.kid: one.retired_at for one in await proofs.published_keys()}
    assert published[card.kid] is not None and published[key.kid] is None
    events = [entry.event for entry in await world.journal.entries_of(NIL, [HealthCardKeyRotated])]
    assert (events[0].kid, events[0].before) == (key.kid, card.kid)


async def test_compromised_key_is_not_published_and_its_cards_are_worth_nothing(world, cards, proofs):
    patient, _ = await vaccinated(world, cards)
    card = await issue(proofs, patient)
    await proofs.rotate(compromised=True)
    assert card.kid not in {key.kid for key in await proofs.published_keys()}
    assert await result_of(proofs, card.jws) is Result.UNKNOWN_KEY


async def test_deleted_person_leaves_no_card_and_every_card_is_invalid(world, cards, proofs):
    patient, _ = await vaccinated(world, cards)
    card = await issue(proofs, patient)
    async with world.db.transaction() as conn:
        assert await proofs.delete_of_person(conn, patient.id) == 1
    assert await proofs.cards_of(patient) == []
    assert await result_of(proofs, card.jws) is Result.REVOKED


async def test_keys_and_revoked_cards_are_published_as_the_specification_says(world, cards, proofs):
    patient, _ = await vaccinated(world, cards)
    card = await issue(proofs, patient)
    await proofs.revoke(patient, card.card_id)
    app = Starlette(routes=api.routes(proofs), exception_handlers=HANDLERS)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        jwks = await client.get(f"{proofs.iss}/.well-known/jwks.json")
        crl = await client.get(f"{proofs.iss}/.well-known/crl/{card.kid}.json")
        unknown = await client.get(f"{proofs.iss}/.well-known/crl/unknown.json")
    assert jwks.headers["access-control-allow-origin"] == "*" and unknown.status_code == 404
    (key,) = [one for one in jwks.json()["keys"] if one["kid"] == card.kid]
    assert set(key) == {"kty", "kid", "use", "alg", "crv", "x", "y", "crlVersion"}
    assert crl.json()["kid"] == card.kid and crl.json()["method"] == "rid"
    assert card.rid in crl.json()["rids"] and crl.json()["ctr"] == key["crlVersion"] == len(crl.json()["rids"]) + 1


async def test_independent_reader_reads_the_card_from_each_of_its_forms(world, cards, proofs):
    patient, _ = await vaccinated(world, cards)
    card = await issue(proofs, patient)
    (key,) = [one.jwk for one in await proofs.published_keys() if one.kid == card.kid]
    given = {
        "jws": card.jws,
        "digits": f"shc:/{to_digits(card.jws)}",
        "file": card_file(card.jws).decode(),
        "key": key,
    }
    found = run_node("read_proofs.mjs", given, needs="kill-the-clipboard")
    expected = orjson.loads(inflate_of(card.jws))["vc"]["credentialSubject"]["fhirBundle"]
    assert found["bundles"] == [expected] * 3
