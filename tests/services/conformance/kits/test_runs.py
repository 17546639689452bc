"""Runs on the platform: bounded, only to allowed addresses, kept with a signed report, shared by links."""

import asyncio

import pytest

from esante.core.outbound import AddressPolicy
from esante.core.storage import NIL, uuid7
from esante.core.web import Problem
from esante.services.conformance.kits import runs as module
from esante.services.conformance.kits.report import ReportError, new_key, read_key, read_run, verify
from esante.services.conformance.kits.run_model import (
    RunEnded,
    RunLinkRevoked,
    RunShared,
    RunStarted,
    RunState,
    SharedRunRead,
)
from esante.services.conformance.kits.runs import Runs
from esante.services.conformance.vendors.model import VendorChange
from tests.services.conformance.conftest import TABLES
from tests.support.rest_hook_receiver import receiving, resolve_names_to
from tests.support.sample_kits import use_sample_kits

SECRET = "s3cret-of-the-vendor"


@pytest.fixture(autouse=True)
def sample_kit():
    with use_sample_kits():
        yield


async def problem_of(call):
    with pytest.raises(Problem) as caught:
        await call
    return caught.value


async def ended(runs, vendor, run):
    """Wait until a run is no longer running; return it."""
    async with asyncio.timeout(20):
        while (found := await runs.find(vendor, run.run_id)).state is RunState.RUNNING:
            await asyncio.sleep(0.02)
    return found


async def run_sample(runs, vendor, target, **options):
    return await ended(runs, vendor, await runs.start(vendor, "sample", target, options))


async def events_of(journal, run_id, *types):
    entries = await journal.entries_of(NIL, list(types), limit=30)
    return [entry.event for entry in entries if entry.event.run_id == run_id][::-1]


async def test_run_that_passes_is_kept_with_a_report_that_the_platform_signed(runs, vendor, journal):
    async with receiving() as target:
        run = await run_sample(runs, vendor, f"http://127.0.0.1:{target.port}/x", name="Vera")
    assert (run.state, run.passed, run.done, run.total) == (RunState.ENDED, True, 2, 2)
    assert run.options == {"name": "Vera"} and [one.target for one in target.requests] == ["/x/ping"] * 2
    found = read_run(verify(run.report, runs.key))
    assert found.id == run.run_id and found.passed and found == read_run(runs.content(run))
    with pytest.raises(ReportError):
        verify(run.report, read_key(new_key()))
    started, end = await events_of(journal, run.run_id, RunStarted, RunEnded)
    assert (started.vendor_id, end.kit, end.kit_version) == (vendor.id, "sample", "1.0")
    assert (end.passed, end.met, end.failed) == (True, 2, 0)


async def test_run_that_fails_says_what_and_blocks_what_builds_on_it(runs, vendor):
    async with receiving("500") as target:
        run = await run_sample(runs, vendor, f"http://127.0.0.1:{target.port}")
    outcomes = read_run(runs.content(run)).outcomes
    assert not run.passed and [one.verdict.value for one in outcomes] == ["failed", "blocked"]
    assert "status 500" in outcomes[0].what


async def test_report_that_another_key_signed_is_refused(runs, vendor, tmp_path):
    """Somebody replaced the key, or wrote the report into the database."""
    async with receiving() as target:
        run = await run_sample(runs, vendor, f"http://127.0.0.1:{target.port}")
    (tmp_path / "conformance.pem").write_bytes(new_key())
    assert (await problem_of(as_call(runs.content, run))).status == 409


async def test_secrets_of_a_run_are_in_no_table_and_no_log(runs, vendor, db, caplog):
    async with receiving() as target:
        run = await run_sample(runs, vendor, f"http://127.0.0.1:{target.port}", token=SECRET, name=SECRET + "2")
        assert target.requests[0].headers["authorization"] == f"Bearer {SECRET}"
    assert SECRET not in str(runs.content(run)).replace(SECRET + "2", "")
    for table in TABLES:
        assert SECRET not in str([dict(row) for row in await db.fetch(f"SELECT * FROM {table}")]).replace(
            SECRET + "2", ""
        )
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "target",
    ["", "x", "ftp://127.0.0.1/", "http://", "http://user@127.0.0.1/", "http://127.0.0.1:0/", "http://127.0.0.1/?q=1",
     "http://127.0.0.1/#x", "http://127.0.0.1:99999/", "http://127.0.0.1/" + "x" * 500, "http://[::1]/",
     "https://10.0.0.1/", "https://169.254.169.254/", "https://does-not-exist.invalid/", "http://9.9.9.9/"],
)  # fmt: skip
async def test_address_that_may_not_be_called_is_refused_alike(runs, vendor, target):
    refused = await problem_of(runs.start(vendor, "sample", target, {}))
    assert (refused.status, refused.place) == (400, "target")
    assert (await runs.search(vendor)).items == []


async def test_loopback_is_refused_where_no_network_is_allowed(db, journal, vendors, vendor, tmp_path):
    public_only = Runs(db, journal, vendors, AddressPolicy(), tmp_path / "key.pem")
    async with receiving() as internal:
        for host in ("localhost", "127.0.0.1", "2130706433", "[::ffff:7f00:1]"):
            refused = await problem_of(public_only.start(vendor, "sample", f"https://{host}:{internal.port}/", {}))
            assert refused.place == "target"
        assert internal.connections == 0


async def test_dns_rebinding_reaches_no_internal_address(runs, vendor, monkeypatch):
    """A name that may be called when the run starts, and resolves to an internal address at the first request."""
    async with receiving() as internal:
        resolve_names_to(monkeypatch, ["127.0.0.1"], ["10.0.0.1"])
        run = await run_sample(runs, vendor, f"http://rebind.example:{internal.port}/")
        assert internal.connections == 0 and not run.passed
        assert "not allowed" in str(read_run(runs.content(run)).outcomes[0].exchanges)


async def test_redirect_to_an_internal_address_is_not_followed(runs, vendor):
    async with receiving("302") as target:
        run = await run_sample(runs, vendor, f"http://127.0.0.1:{target.port}")
    assert not run.passed and target.connections == 1


async def test_vendor_has_one_run_at_a_time_and_a_process_some(runs, vendors, vendor, operator, monkeypatch):
    async with receiving("hang") as target:
        address = f"http://127.0.0.1:{target.port}"
        await runs.start(vendor, "sample", address, {})
        assert (await problem_of(runs.start(vendor, "sample", address, {}))).status == 409
        other, _ = await vendors.register("Other", "Otto", "otto@other.example", "192.0.2.1")
        refused = await problem_of(runs.start(other.requester(), "sample", address, {}))
        assert refused.status == 409 and "accepted" in refused.title
        await vendors.change(operator, other.vendor_id, VendorChange.ACCEPTANCE)
        monkeypatch.setattr(module, "MOST_RUNS", 1)
        assert (await problem_of(runs.start(other.requester(), "sample", address, {}))).status == 503
        monkeypatch.setattr(module, "MOST_RUNS", 2)
        await runs.start(other.requester(), "sample", address, {})


async def test_two_starts_at_once_make_one_run(runs, vendor):
    async with receiving("hang") as target:
        starts = (runs.start(vendor, "sample", f"http://127.0.0.1:{target.port}", {}) for _ in range(3))
        found = await asyncio.gather(*starts, return_exceptions=True)
    assert sorted(getattr(one, "status", 0) == 409 for one in found) == [False, True, True]


async def test_run_whose_process_stops_is_interrupted_and_can_be_started_again(runs, vendor):
    async with receiving("hang") as target:
        run = await runs.start(vendor, "sample", f"http://127.0.0.1:{target.port}", {})
        await asyncio.sleep(0.05)
        await runs.close()
        found = await runs.find(vendor, run.run_id)
        assert (found.state, found.passed, found.report) == (RunState.INTERRUPTED, False, "")
        assert (await problem_of(as_call(runs.content, found))).status == 404
        await runs.start(vendor, "sample", f"http://127.0.0.1:{target.port}", {})


async def as_call(function, *arguments):
    return function(*arguments)


async def test_run_of_a_process_that_died_is_shown_as_interrupted(runs, vendor, db):
    """The process wrote nothing at its end; another one finds that the run is silent."""
    async with receiving("hang") as target:
        run = await runs.start(vendor, "sample", f"http://127.0.0.1:{target.port}", {})
        assert (await runs.find(vendor, run.run_id)).state is RunState.RUNNING
        await db.fetch("UPDATE conformance_run SET beat_at = beat_at - interval '1 minute'")
        assert (await runs.find(vendor, run.run_id)).state is RunState.INTERRUPTED


async def test_progress_is_kept_while_a_run_goes_on(runs, vendor, db, monkeypatch):
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.02)
    async with receiving("hang") as target:
        run = await runs.start(vendor, "sample", f"http://127.0.0.1:{target.port}", {})
        async with asyncio.timeout(20):
            while (await runs.find(vendor, run.run_id)).beat_at == run.beat_at:
                await asyncio.sleep(0.02)


async def test_runs_of_another_vendor_do_not_exist(runs, links, vendors, vendor):
    async with receiving() as target:
        run = await run_sample(runs, vendor, f"http://127.0.0.1:{target.port}")
    other = (await vendors.register("Other", "Otto", "otto@other.example", "192.0.2.1"))[0].requester()
    for act in (
        runs.find(other, run.run_id),
        runs.find(vendor, uuid7()),
        links.create(other, run.run_id),
        links.revoke(other, run.run_id, uuid7()),
    ):
        assert (await problem_of(act)).status == 404
    assert (await runs.search(other)).items == []


async def test_list_is_searched_and_paged(runs, vendor):
    async with receiving() as target:
        for _ in range(3):
            await run_sample(runs, vendor, f"http://127.0.0.1:{target.port}")
    found = (await runs.search(vendor)).items
    assert [one.run_id for one in found] == sorted((one.run_id for one in found), reverse=True) and len(found) == 3
    assert len((await runs.search(vendor, f"SAMPLE {target.port}")).items) == 3
    assert (await runs.search(vendor, "xyzzy")).items == []


async def test_link_opens_the_report_until_it_is_revoked_or_expires(
    runs, links, vendor, operator, journal, days_later
):
    async with receiving() as target:
        run = await run_sample(runs, vendor, f"http://127.0.0.1:{target.port}")
    link, code = await links.create(vendor, run.run_id)
    _, second = await links.create(vendor, run.run_id)
    for reader in (None, operator):
        assert (await links.open(code, reader, "192.0.2.5")).run_id == run.run_id
    await links.revoke(vendor, run.run_id, link.link_id)
    assert (await problem_of(links.revoke(vendor, run.run_id, link.link_id))).status == 404
    wrong = [await problem_of(links.open(code, None, "192.0.2.5")), await problem_of(links.open("A" * 43, None, "x"))]
    assert (await links.open(second, None, "192.0.2.5")).run_id == run.run_id
    await days_later(31)
    wrong.append(await problem_of(links.open(second, None, "192.0.2.5")))
    assert {(one.status, one.title) for one in wrong} == {(400, "This link does not work.")}
    types = [type(one) for one in await events_of(journal, run.run_id, RunShared, SharedRunRead, RunLinkRevoked)]
    assert types == [RunShared, RunShared, SharedRunRead, SharedRunRead, RunLinkRevoked, SharedRunRead]


async def test_wrong_codes_are_limited_by_network(links):
    statuses = {(await problem_of(links.open("x", None, "198.51.100.9"))).status for _ in range(22)}
    assert statuses == {400, 429}


async def test_code_of_a_link_is_stored_as_its_digest_only(runs, links, vendor, db):
    async with receiving() as target:
        run = await run_sample(runs, vendor, f"http://127.0.0.1:{target.port}")
    _, code = await links.create(vendor, run.run_id)
    (row,) = await db.fetch("SELECT * FROM conformance_run_link")
    assert code not in str(dict(row))
