"""Copies for other providers: what is in them, who can fetch them, and how often."""

import hashlib
import io
from datetime import UTC, datetime, timedelta
from zipfile import ZipFile

import orjson
import pytest

from esante.core.web import Problem
from esante.identity.access import AccessEvent, Confidentiality, requester_of
from esante.services.ehds.formats.service import Formats
from esante.services.ehds.portability.model import (
    MAX_ACTIVE,
    Choice,
    TransferEnded,
    TransferFetched,
    TransferPrepared,
)
from esante.services.ehds.portability.package import Packages
from esante.services.ehds.portability.service import Transfers
from esante.services.record import Deposit
from tests.support.lifecycle_clock import running_clock
from tests.support.record import BASE, letter, open_world
from tests.support.summaries import SECRET, build_summary, summary_bytes, token_of


@pytest.fixture(scope="module")
async def world(db, journal, objects):
    """A world over this module's database."""
    async with open_world(db, journal, objects) as world:
        yield world


@pytest.fixture
def transfers(world):
    """The transfers over the world."""
    formats = Formats(world.db, world.record, world.directory, f"{BASE}/fhir")
    packages = Packages(world.record.extracts, formats)
    extracts = world.record.extracts
    return Transfers(world.db, world.journal, world.directory, world.access, extracts, packages, BASE)


@pytest.fixture
async def patient(world):
    """A person with a summary of which a line is restricted, a letter, and a hidden letter."""
    person = await world.person()
    patient, hospital = requester_of(person), world.people["hospital"]
    summary = (await world.record.deposit(hospital, person.id, summary_bytes(), Deposit(confirmation=""))).document
    await world.record.restrictions.restrict(patient, person.id, summary.id, [token_of(build_summary(), "bipolar")])
    await world.record.deposit(hospital, person.id, *letter("An open letter"))
    hidden = (await world.record.deposit(hospital, person.id, *letter("A hidden letter"))).document
    await world.record.set_confidentiality(patient, person.id, hidden.id, Confidentiality.HIDDEN)
    return patient


async def fetch(transfers, made, pin=None, name="Dr Weber, Trier", origin="192.0.2.7"):
    """Fetch a copy as its recipient does; return the ZIP and its bytes."""
    opened = await transfers.open(made.url.rpartition("/")[2], name, pin or made.pin, origin)
    data = b"".join([chunk async for chunk in transfers.stream(opened)])
    return ZipFile(io.BytesIO(data)), data


def texts_of(archive):
    return b"\n".join(archive.read(name) for name in archive.namelist())


async def refused(act):
    with pytest.raises(Problem) as raised:
        await act
    return raised.value.status


async def test_copy_has_what_is_not_hidden_and_its_receipt_agrees_with_it(world, transfers, patient):
    made = await transfers.prepare(patient, "Dr Weber", 7, Choice())
    archive, data = await fetch(transfers, made)
    text = texts_of(archive)
    assert b"An open letter" in text and b"Asthma" in text
    assert b"A hidden letter" not in text and SECRET.encode() not in text
    assert "patient-summary.json" not in archive.namelist()
    manifest = orjson.loads(archive.read("manifest.json"))
    assert len(manifest["files"]) == 2
    for file in manifest["files"]:
        content = archive.read(file["name"])
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["size"], file["sha256"])
    [received] = await transfers.transfers_of(patient, 0, 10)
    assert (received.end_cause, received.recipient, received.files) == ("received", "Dr Weber, Trier", 2)
    assert (received.size, received.sha256) == (len(data), hashlib.sha256(data).hexdigest())


async def test_copy_of_all_has_the_hidden_and_a_summary(transfers, patient):
    archive, _ = await fetch(transfers, await transfers.prepare(patient, "Dr Weber", 7, Choice(hidden=True)))
    text = texts_of(archive)
    assert b"A hidden letter" in text and SECRET.encode() in text
    summary = orjson.loads(archive.read("patient-summary.json"))
    assert summary["type"] == "document" and SECRET in archive.read("patient-summary.json").decode()


async def test_copy_of_a_part_has_only_its_categories(transfers, patient):
    archive, _ = await fetch(transfers, await transfers.prepare(patient, "Dr", 7, Choice(categories=("letter",))))
    files = orjson.loads(archive.read("manifest.json"))["files"]
    assert {file["category"] for file in files} == {"letter"}


async def test_copy_can_be_received_once(transfers, patient):
    made = await transfers.prepare(patient, "Dr Weber", 1, Choice())
    await fetch(transfers, made)
    assert await refused(fetch(transfers, made)) == 404


async def test_copy_that_was_broken_off_can_be_fetched_again(transfers, patient):
    made = await transfers.prepare(patient, "Dr Weber", 1, Choice())
    opened = await transfers.open(made.url.rpartition("/")[2], "Dr Weber", made.pin, "192.0.2.8")
    parts = transfers.stream(opened)
    await anext(parts)
    await parts.aclose()
    [waiting] = await transfers.transfers_of(patient, 0, 10)
    assert waiting.ended_at is None
    assert (await fetch(transfers, made))[0].namelist()


async def test_wrong_pins_end_the_link_and_are_answered_like_no_link(world, transfers, patient):
    made = await transfers.prepare(patient, "Dr Weber", 1, Choice())
    wrong = "000000" if made.pin != "000000" else "111111"
    for number in range(5):
        assert await refused(fetch(transfers, made, wrong, origin=f"192.0.{number}.1")) == 404
    assert await refused(fetch(transfers, made, origin="192.0.9.1")) == 404
    assert await refused(transfers.open("x" * 43, "Dr Weber", made.pin, "192.0.10.1")) == 404
    [ended] = await transfers.transfers_of(patient, 0, 10)
    assert ended.end_cause == "attempts"


async def test_link_that_is_over_ended_or_whose_record_is_closed_opens_nothing(world, transfers, patient):
    over = await transfers.prepare(patient, "One", 1, Choice())
    with running_clock(datetime.now(UTC) + timedelta(days=1, minutes=1)):
        await world.journal.ensure_months(datetime.now(UTC), datetime.now(UTC) + timedelta(days=35))
        assert await refused(fetch(transfers, over, origin="198.51.100.1")) == 404
    ended = await transfers.prepare(patient, "Two", 1, Choice())
    await transfers.end(patient, ended.transfer.transfer_id)
    await transfers.end(patient, ended.transfer.transfer_id)
    assert await refused(fetch(transfers, ended, origin="198.51.101.1")) == 404
    closed = await transfers.prepare(patient, "Three", 1, Choice())
    await world.access.lifecycle.change(patient, "close")
    assert await refused(fetch(transfers, closed, origin="198.51.102.1")) == 404
    assert await refused(transfers.prepare(patient, "Four", 1, Choice())) == 403


async def test_only_the_patient_prepares_and_ends(world, transfers, patient):
    made = await transfers.prepare(patient, "Dr Weber", 1, Choice())
    other = requester_of(await world.person())
    for by in (world.people["doctor"], world.people["hospital"]):
        assert await refused(transfers.prepare(by, "x", 1, Choice())) == 403
    assert await refused(transfers.end(other, made.transfer.transfer_id)) == 404
    assert await transfers.transfers_of(other, 0, 10) == []


@pytest.mark.parametrize(
    ("label", "days", "choice"),
    [("", 7, Choice()), ("x" * 81, 7, Choice()), ("x", 8, Choice()), ("x", 7, Choice(categories=("nothing",)))],
)
async def test_bad_form_prepares_nothing(transfers, patient, label, days, choice):
    assert await refused(transfers.prepare(patient, label, days, choice)) in (400, 422)
    assert await transfers.transfers_of(patient, 0, 10) == []


async def test_transfers_that_wait_are_bounded(transfers, patient):
    for number in range(MAX_ACTIVE):
        await transfers.prepare(patient, f"Dr {number}", 1, Choice())
    assert await refused(transfers.prepare(patient, "One more", 1, Choice())) == 409


async def test_every_step_is_in_the_journal_and_no_secret_is(world, transfers, patient):
    made = await transfers.prepare(patient, "Dr Weber", 7, Choice())
    wrong = "000000" if made.pin != "000000" else "111111"
    await refused(fetch(transfers, made, wrong, origin="203.0.113.1"))
    await fetch(transfers, made, origin="203.0.113.2")
    person = await world.directory.person(patient.id)
    events = [event for _, event in await world.events(person, TransferPrepared, TransferFetched, TransferEnded)]
    assert [(type(event).__name__, event.allowed) for event in events] == [
        ("TransferPrepared", True),
        ("TransferFetched", False),
        ("TransferFetched", True),
        ("TransferEnded", True),
    ]
    assert events[-1].cause == "received" and events[-1].files == 2
    assert all(isinstance(event, AccessEvent) for event in events)
    rows = await world.db.fetch("SELECT * FROM record_transfer")
    kept = repr([dict(row) for row in rows]) + repr(events)
    assert made.url.rpartition("/")[2] not in kept and f"'{made.pin}'" not in kept
