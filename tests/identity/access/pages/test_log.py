"""The access log of a patient, and the download of its proof and verifier."""

import json
import subprocess
import sys
from datetime import UTC, datetime

import msgspec

from esante.core.journal import Actor, ProofRunning, event
from esante.core.storage import uuid7
from esante.identity.access import AccessEvent
from esante.identity.access.regulation.policy_set import policy
from tests.support.portal_browser import page_text


@event("test.access_page_seen")
class DocumentOpened(AccessEvent, frozen=True, kw_only=True):
    """A document was opened."""


async def test_log_is_filtered_and_paged(browse, house, journal):
    patient = await house.open_patient()
    actor = Actor(kind="practitioner", id=uuid7(), name="Dr Weber", role="doctor", organization="Hôpital du Nord")
    for number in range(60):
        opened = DocumentOpened(
            categories=("letter",), documents=(uuid7(),), allowed=number % 10 > 0, reason="no-grant"
        )
        visitor = msgspec.structs.replace(actor, id=uuid7())
        await journal.append(opened, person_id=patient.id, actor=visitor, origin="192.0.2.7")
    user = await browse(patient)
    page = await user.get("/log?kind=looked")
    lines = page.xpath("//ol[contains(@class, 'timeline')]/li")
    assert len(lines) == 25
    assert "Dr Weber viewed your record: Letter." in page_text(page) and "Doctor" in page_text(page)
    count = len(lines)
    while older := page.xpath("//a[@rel = 'next']/@href"):
        page = await user.get(older[0])
        count += len(page.xpath("//ol[contains(@class, 'timeline')]/li"))
    assert count == 60
    for newer in range(2):
        page = await user.get(page.xpath("//a[@rel = 'prev']/@href")[0])
        assert bool(page.xpath("//a[@rel = 'prev']")) == (newer == 0)
    assert len(page.xpath("//ol[contains(@class, 'timeline')]/li")) == 25
    refused = await user.get("/log?kind=refused")
    assert len(refused.xpath("//ol[contains(@class, 'timeline')]/li")) == 6
    assert "Refused" in page_text(refused)
    assert len((await user.get("/log?q=opened")).xpath("//ol[contains(@class, 'timeline')]/li")) == 1
    assert "No results" in page_text(await user.get("/log?q=Klein"))
    await user.get("/log?kind=secret", 404)
    for cursor in ("x", "WyJ4Il0", "%00"):
        assert (await user.http.get(f"/log?cursor={cursor}")).status_code in (400, 404)


async def test_visit_is_one_entry_that_unfolds(browse, house, journal):
    patient = await house.open_patient()
    for category in ("letter", "report", "letter"):
        opened = DocumentOpened(categories=(category,), documents=(uuid7(),))
        await journal.append_for(house.doctor, opened, person_id=patient.id)
        await journal.append_for(patient, opened, person_id=patient.id)
    page = await (await browse(patient)).get("/log?kind=looked")
    own, visit = page.xpath("//ol[contains(@class, 'timeline')]/li")
    assert "You viewed your record" in own.text_content() and patient.name not in own.text_content()
    assert house.doctor.name in visit.text_content() and "3 accesses" in visit.text_content()
    assert len(visit.xpath(".//details//ul/li")) == 3


async def test_log_without_matches_shows_a_notice(browse, house):
    user = await browse(await house.patient())
    page = await user.get("/log?kind=documents")
    assert "No results" in page_text(page)


def run_verifier(folder):
    run = [sys.executable, "verifier.py", "proof.json"]
    return subprocess.run(run, cwd=folder, capture_output=True, check=False).returncode


async def test_downloaded_verifier_verifies_the_downloaded_proof(browse, house, journal, tmp_path):
    patient = await house.open_patient()
    user = await browse(patient)
    await user.get("/log")
    await journal.sealer.seal_all()
    for name in ("proof.json", "verifier.py"):
        response = await user.http.get(f"/log/{name}")
        assert response.headers["content-disposition"] == f'attachment; filename="{name}"'
        (tmp_path / name).write_bytes(response.content)
    assert run_verifier(tmp_path) == 0
    proof = json.loads((tmp_path / "proof.json").read_text())
    assert proof["person"] == str(patient.id)
    del proof["entries"][0]
    (tmp_path / "proof.json").write_text(json.dumps(proof))
    assert run_verifier(tmp_path) == 1


async def test_proofs_past_the_limit_of_a_person_are_refused_and_not_those_of_another(browse, house, journal):
    user, other = await browse(await house.open_patient()), await browse(await house.open_patient())
    await user.get("/log")
    await journal.sealer.seal_all()
    most = policy(datetime.now(UTC).date()).proofs_per_requester
    statuses = [(await user.http.get("/log/proof.json")).status_code for _ in range(most + 1)]
    assert statuses == [200] * most + [429]
    assert (await other.http.get("/log/proof.json")).status_code == 200


async def test_second_proof_of_a_person_at_once_is_refused(browse, house, journal, monkeypatch):
    async def refuse(person_id, file):
        raise ProofRunning

    user = await browse(await house.open_patient())
    monkeypatch.setattr(journal, "write_proof", refuse)
    answer = await user.http.get("/log/proof.json")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "30")
