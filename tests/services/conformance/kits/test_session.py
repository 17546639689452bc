"""A target that hangs, redirects, lies or sends without end gets clear verdicts, and nothing else is called."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest

from esante.services.conformance.kits import runner, session
from esante.services.conformance.kits.catalogue import kits
from esante.services.conformance.kits.model import Fault, Verdict
from esante.services.conformance.kits.runner import run_kit
from esante.services.conformance.kits.session import Session

KIT = kits()["dsp"]
TARGET = "http://target.example/fhir"
OPTIONS = {"patient": "urn:example|1", "token": "t0ken-of-the-run"}


class Target(httpx.AsyncBaseTransport):
    """A target made of one function; `hosts` are those that were called."""

    def __init__(self, answer: Callable[[httpx.Request], Awaitable[httpx.Response]]) -> None:
        self._answer, self.hosts = answer, set[str]()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.hosts.add(request.url.host)
        return await self._answer(request)


class Endless(httpx.AsyncByteStream):
    """A body without end; `sent` counts its bytes."""

    sent = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            Endless.sent += 65_536
            yield b" " * 65_536


async def verdicts_of(target: Target) -> set[Verdict]:
    run = await run_kit(KIT, TARGET, OPTIONS, lambda *_: None, target)
    assert not run.passed and len(run.outcomes) == len(KIT.requirements)
    for one in run.outcomes:
        assert one.verdict is Verdict.PASSED or one.what
        assert one.verdict is not Verdict.FAILED or one.remedy
    assert target.hosts == {"target.example"}
    return {one.verdict for one in run.outcomes}


async def test_silent_target_fails_and_does_not_hold_up_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "ANSWER_SECONDS", 0.05)

    async def silent(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(3600)
        raise AssertionError

    assert Verdict.PASSED not in await verdicts_of(Target(silent))


async def test_check_that_does_not_end_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "CHECK_SECONDS", 0.05)

    async def slow(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.2)
        return httpx.Response(200)

    run = await run_kit(KIT, TARGET, OPTIONS, lambda *_: None, Target(slow))
    assert "not done after" in run.outcomes[0].what


async def test_endless_answer_is_cut_off() -> None:
    async def endless(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "application/fhir+json"}, stream=Endless())

    with pytest.raises(Fault, match="longer than"):
        await Session(TARGET, {}, Target(endless)).send("GET", "metadata")
    assert Endless.sent <= session.MAX_ANSWER + 65_536


async def test_compressed_answer_is_not_unpacked() -> None:
    """A few kilobytes could become gigabytes."""
    body = gzip.compress(b" " * 50_000_000)

    async def bomb(request: httpx.Request) -> httpx.Response:
        assert request.headers["accept-encoding"] == "identity"
        return httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(body))

    with pytest.raises(Fault, match="got no answer"):
        await Session(TARGET, {}, Target(bomb)).send("GET", "metadata")


async def test_secret_that_the_target_repeats_is_neither_in_findings_nor_in_the_transcript() -> None:
    async def repeat(request: httpx.Request) -> httpx.Response:
        sent = request.headers.get("authorization", "").removeprefix("Bearer ")
        return httpx.Response(200, headers={"content-type": f"x/{sent}", "location": sent}, json={"a": sent})

    run = await run_kit(KIT, TARGET, OPTIONS, lambda *_: None, Target(repeat))
    assert "x/…" in str(run.outcomes) and OPTIONS["token"] not in str(run.outcomes)


@pytest.mark.parametrize("end", ["</saml2:Assertion>after", ""], ids=["whole", "cut"])
def test_assertion_in_a_message_is_not_in_the_transcript(end: str) -> None:
    message = f'before<saml2:Assertion ID="1"><saml2:NameID>who</saml2:NameID>{end}'.encode()
    shown = Session(TARGET, {}).shown(message)
    assert shown == "before<saml2:Assertion>…</saml2:Assertion>" + ("after" if end else "")


async def test_finding_has_a_bounded_length() -> None:
    async def lie(_: httpx.Request) -> httpx.Response:
        body = {"resourceType": "CapabilityStatement", "fhirVersion": "4" * 1_000_000}
        return httpx.Response(200, headers={"content-type": "application/fhir+json"}, json=body)

    run = await run_kit(KIT, TARGET, OPTIONS, lambda *_: None, Target(lie))
    assert max(len(one.what) for one in run.outcomes) == runner.LONGEST_FINDING


async def test_redirect_is_not_followed() -> None:
    async def redirect(_: httpx.Request) -> httpx.Response:
        return httpx.Response(302, headers={"location": "http://internal.example/"})

    assert Verdict.PASSED not in await verdicts_of(Target(redirect))


async def test_address_of_another_origin_is_not_called() -> None:
    async def elsewhere(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={})

    target = Target(elsewhere)
    one = Session(TARGET, {}, target)
    for address in (
        "http://internal.example/",
        "https://target.example/fhir",
        "http://target.example:81/",
        "file:///etc/passwd",
    ):
        with pytest.raises(Fault, match="not on the target"):
            await one.send("GET", address)
    assert target.hosts == set()


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{}", b'"x"', b"<html>", b'{"resourceType": "Bundle", "entry": 1}', b"\xff\xfe"]
)
async def test_answers_of_another_shape_are_faults_and_no_errors(body: bytes) -> None:
    async def lie(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "application/fhir+json"}, content=body)

    assert Verdict.FAILED in await verdicts_of(Target(lie))
