"""The HTTP interface as the specification has it."""

import httpx
import pytest

from esante.core.witness import create_app
from esante.core.witness.api import MAX_BODY
from tests.support.witnessed_log import WitnessedLog


@pytest.fixture
async def http(witness):
    transport = httpx.ASGITransport(create_app(witness))
    async with httpx.AsyncClient(transport=transport, base_url="http://witness.test") as client:
        yield client


async def test_checkpoint_is_answered_with_the_line_of_the_cosignature(http, log, cosigner):
    answer = await http.post("/add-checkpoint", content=log.body(0, 40))
    assert answer.status_code == 200
    assert answer.text.startswith("\u2014 witness.example/w1 ")
    assert answer.text.count("\n") == 1 and answer.text.endswith("\n")
    assert cosigner.verifier.verify(log.note(40) + answer.text)


async def test_wrong_old_size_is_answered_with_409_and_the_size(http, log):
    await http.post("/add-checkpoint", content=log.body(0, 40))
    answer = await http.post("/add-checkpoint", content=log.body(30, 50))
    assert (answer.status_code, answer.text) == (409, "40\n")
    assert answer.headers["content-type"] == "text/x.tlog.size"


async def test_refusals_have_the_status_of_the_specification(http, log):
    await http.post("/add-checkpoint", content=log.body(0, 40))
    unknown = WitnessedLog(5, origin="log.example/b")
    strange = WitnessedLog(60)
    fork = WitnessedLog(60, key=log.key, leaf="other")
    bodies = {
        400: b"malformed",
        403: strange.body(40, 60),
        404: unknown.body(0, 5),
        413: b"x" * (MAX_BODY + 1),
        422: fork.body(40, 40),
    }
    for status, body in bodies.items():
        answer = await http.post("/add-checkpoint", content=body)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/plain; charset=utf-8")
    assert (await http.get("/add-checkpoint")).status_code == 405
    assert (await http.get("/")).status_code == 404


async def test_checkpoint_that_cannot_be_stored_is_answered_with_503(http, log, monkeypatch):
    def refuse(handle):
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", refuse)
    answer = await http.post("/add-checkpoint", content=log.body(0, 40))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
