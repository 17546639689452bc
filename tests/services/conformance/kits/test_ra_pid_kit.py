"""The kit of fee notes: software that keeps the rules meets all of it, and each broken twin is told what is broken."""

from pathlib import Path

import httpx
import pytest

from esante.services.conformance.kits.catalogue import kits
from esante.services.conformance.kits.model import Run, Verdict
from esante.services.conformance.kits.ra_pid import driver
from esante.services.conformance.kits.runner import run_kit
from tests.support.client_practice import serve_client_practice
from tests.support.practice_software import serve_practice

KIT = kits()["ra-pid"]
QUICK = ["RP-01", "RP-06", "RP-19", "RP-49", "RP-52"]
"""The twins of `make test`; the others are long."""


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "WAIT_SECONDS", 4.0)


async def run_against(flaw: str) -> Run:
    async with serve_practice(flaw) as target:
        return await run_kit(KIT, target, {"exchange": "yes"}, lambda *_: None)


async def test_software_that_keeps_the_rules_meets_every_requirement() -> None:
    run = await run_against("")
    assert [(one.requirement, one.what) for one in run.outcomes if one.verdict is not Verdict.PASSED] == []
    assert run.passed and 25 <= len(run.outcomes) <= 60
    texts = [f"{one.method} {one.address}" for outcome in run.outcomes for one in outcome.exchanges]
    assert "POST (to us) /pid/v1/payments" in texts and any("PATCH (to us) /ra/v1/" in text for text in texts)


async def test_client_library_meets_every_requirement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "WAIT_SECONDS", 15.0)
    async with serve_client_practice(tmp_path) as target:
        run = await run_kit(KIT, target, {}, lambda *_: None)
    others = {one.requirement: one.verdict for one in run.outcomes if one.verdict is not Verdict.PASSED}
    by_exchange = ("RP-50", "RP-51", "RP-52")  # the library sends by REST
    assert others == dict.fromkeys(by_exchange, Verdict.NOT_APPLICABLE), [one.what for one in run.outcomes if one.what]
    assert run.passed


@pytest.mark.parametrize(
    "broken", [one.id if one.id in QUICK else pytest.param(one.id, marks=pytest.mark.long) for one in KIT.requirements]
)
async def test_broken_twin_is_told_its_fault_and_no_other(broken: str) -> None:
    run = await run_against(broken)
    failed = [one for one in run.outcomes if one.verdict is Verdict.FAILED]
    assert [one.requirement for one in failed] == [broken], [(one.requirement, one.what) for one in failed]
    assert failed[0].what and failed[0].remedy
    blocked = {one.requirement for one in run.outcomes if one.verdict is Verdict.BLOCKED}
    assert {one.id for one in KIT.requirements if broken in one.needs} <= blocked and not run.passed


@pytest.mark.parametrize("status", [404, 500])
async def test_software_without_the_driver_interface_gets_one_clear_fault(status: int) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(status))
    run = await run_kit(KIT, "http://target.example", {}, lambda *_: None, transport)
    assert [one.requirement for one in run.outcomes if one.verdict is Verdict.FAILED] == ["RP-01"]
    assert {one.verdict for one in run.outcomes[1:]} == {Verdict.BLOCKED}
