"""The proof of a patient's access log: asked for, prepared beside the requests, fetched by its owner only."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from esante.core.journal import Journal
from esante.core.storage import JobState
from esante.identity.access import policy
from esante.identity.access.events import LogRead
from tests.support.portal_browser import page_text
from tests.support.proof_verifier import run_verifier


async def prepare(journal: Journal) -> None:
    """Seal, and work until no proof is due."""
    await journal.sealer.seal_all()
    while await journal.proofs.worker.advance():
        pass


async def ask(user):
    """Ask for a proof on its page; return the response."""
    return await user.submit(await user.get("/log/proof"), "/log/proof")


async def test_prepared_proof_is_verified_by_the_verifier_from_its_page(browse, house, journal, tmp_path):
    patient = await house.open_patient()
    user = await browse(patient)
    assert "Prepare the proof" in page_text(await user.get("/log/proof"))
    assert (await user.http.get("/log/proof.json")).status_code == 404
    assert (await ask(user)).headers["location"] == "/log/proof"
    assert "We are preparing the proof" in page_text(await user.get("/log/proof"))
    assert (await user.http.get("/log/proof.json")).status_code == 404
    assert (await user.http.get("/log/proof?shown=0")).status_code == 204
    await prepare(journal)
    assert "Your proof is ready" in page_text(await user.get("/log/proof"))
    answer = await user.http.get("/log/proof.json")
    assert answer.headers["content-disposition"] == 'attachment; filename="proof.json"'
    assert int(answer.headers["content-length"]) == len(answer.content)
    verifier = await user.http.get("/log/verifier.py")
    assert verifier.headers["content-disposition"] == 'attachment; filename="verifier.py"'
    proof = json.loads(answer.text)
    assert proof["person"] == str(patient.id)
    assert (await run_verifier(tmp_path, answer.text)).returncode == 0
    del proof["entries"][0]
    assert (await run_verifier(tmp_path, proof)).returncode == 1
    reads = [entry.event.face for entry in await journal.entries_of(patient.id, [LogRead])]
    assert reads == ["proof", "proof"]  # asked for, and fetched


async def test_opening_the_page_begins_no_proof(browse, house, journal):
    patient = await house.open_patient()
    user = await browse(patient)
    await user.get("/log/proof")
    assert await journal.proofs.current(patient.id) is None
    assert (await user.http.post("/log/proof", data={"_csrf": "x"})).status_code == 403


async def test_second_ask_while_a_proof_is_prepared_returns_the_same(browse, house, journal):
    patient = await house.open_patient()
    user = await browse(patient)
    page = await user.get("/log/proof")
    await user.submit(page, "/log/proof")
    first = await journal.proofs.current(patient.id)
    most = policy(datetime.now(UTC).date()).proofs_per_requester
    for _ in range(most + 1):  # is counted once
        await user.submit(page, "/log/proof")
    assert (await journal.proofs.current(patient.id)).id == first.id
    await prepare(journal)
    await ask(user)
    assert (await journal.proofs.current(patient.id)).id != first.id


async def test_proofs_past_the_limit_of_a_person_are_refused_and_not_those_of_another(browse, house, journal):
    user, other = await browse(await house.open_patient()), await browse(await house.open_patient())
    most = policy(datetime.now(UTC).date()).proofs_per_requester
    for _ in range(most):
        await ask(user)
        await prepare(journal)
    answer = await user.submit(await user.get("/log/proof"), "/log/proof", 429)
    assert int(answer.headers["retry-after"]) > 0
    assert (await ask(other)).status_code == 303


async def test_proof_of_another_person_is_not_found(browse, house, journal):
    patient = await house.open_patient()
    await ask(await browse(patient))
    await prepare(journal)
    job = await journal.proofs.current(patient.id)
    assert job.state is JobState.DONE
    other = await browse(await house.open_patient())
    assert "Prepare the proof" in page_text(await other.get("/log/proof"))
    for path in ("/log/proof.json", f"/log/proof/{job.id}", f"/log/proof/{job.id}/proof.json"):
        assert (await other.http.get(path)).status_code == 404
    doctor = await browse(house.doctor)
    for path in ("/log/proof", "/log/proof.json", "/log/verifier.py"):
        assert (await doctor.http.get(path)).status_code == 404


@pytest.mark.parametrize("age", [timedelta(hours=23), timedelta(hours=25)])
async def test_proof_is_kept_for_a_day(browse, house, journal, db, objects, age):
    patient = await house.open_patient()
    user = await browse(patient)
    await ask(user)
    await prepare(journal)
    job = await journal.proofs.current(patient.id)
    kept = age < timedelta(days=1)
    await db.fetchval("UPDATE journal_proof SET expires_at = expires_at - $2::interval WHERE job_id = $1", job.id, age)
    assert (await user.http.get("/log/proof.json")).status_code == (200 if kept else 404)
    await journal.proofs.worker.remove_ended()
    assert bool(await db.fetchval("SELECT count(*) FROM journal_proof WHERE job_id = $1", job.id)) is kept


async def test_failed_proof_can_be_asked_for_again(browse, house, journal, db):
    patient = await house.open_patient()
    user = await browse(patient)
    await ask(user)
    await db.fetchval("UPDATE journal_proof SET state = 'failed' WHERE person_id = $1", patient.id)
    page = await user.get("/log/proof")
    assert "We could not prepare the proof." in page_text(page)
    await user.submit(page, "/log/proof")
    await prepare(journal)
    assert "Your proof is ready" in page_text(await user.get("/log/proof"))
