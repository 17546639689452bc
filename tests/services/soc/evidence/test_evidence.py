"""Evidence: the chain, and every way of tampering with it that must be found."""

import asyncio
from pathlib import Path

import pytest

from esante.core.web import Problem
from esante.services.soc.evidence import evidence_store
from esante.services.soc.evidence.chain import chain_value
from esante.services.soc.evidence.service import MAX_BYTES


async def refused(call) -> int:
    """Return the status of the problem that a call raises."""
    with pytest.raises(Problem) as caught:
        await call
    return caught.value.status


async def filled_case(world, name):
    """Return a case with four items of evidence: its alerts, and three files."""
    tenant, contact = await world.member(name)
    case = await world.case(tenant.tenant_id)
    for number in range(3):
        await world.evidence.add(
            contact, case.case_id, f"log-{number}.txt", "text/plain", f"line {number} {name}".encode()
        )
    return case, contact


async def faults_of(world, case):
    """Return the faults on the page and those of the command, as positions with texts."""
    found = await world.evidence.verify(world.anna, case.case_id)
    command = (await world.evidence.verify_all())[case.reference]
    return [(one.position, one.what) for one in found], [(one.position, one.what) for one in command]


async def test_evidence_that_nobody_changed_has_no_fault(world):
    case, contact = await filled_case(world, "Hôpital A")
    items = await world.evidence.items(contact, case.case_id)
    assert [one.name for one in items] == ["alerts.jsonl", "log-0.txt", "log-1.txt", "log-2.txt"]
    assert await faults_of(world, case) == ([], [])
    _, content = await world.evidence.read(contact, case.case_id, 1)
    assert b'"rule":"rule-1"' in content and content.endswith(b"\n")


@pytest.mark.parametrize(
    "change",
    [
        "name = 'other.txt'",
        "added_by = 'Somebody'",
        "added_at = added_at + interval '1 hour'",
        "size = size + 1",
        "media_type = 'text/html'",
        r"sha256 = '\x00'",
        r"previous = '\x00'",
        r"chain = '\x00'",
    ],
)
async def test_changed_row_is_found(world, change):
    case, _ = await filled_case(world, f"Hôpital {change}")
    await world.tamper(f"UPDATE soc_evidence SET {change} WHERE case_id = $1 AND position = 2", case.case_id)
    page, command = await faults_of(world, case)
    assert 2 in {position for position, _ in page} and page == command


async def test_chain_that_was_computed_anew_is_found_by_the_journal(world):
    case, _ = await filled_case(world, "Hôpital B")
    previous = None
    for item in await evidence_store.fetch_evidence(world.db, case.case_id):
        fields = {name: getattr(item, name) for name in item.__slots__}
        if item.position == 2:
            fields["name"] = "forged.txt"
        if previous is not None:
            fields["previous"] = previous
        forged = type(item)(**fields)
        previous = chain_value(forged)
        await world.tamper(
            "UPDATE soc_evidence SET name = $3, previous = $4, chain = $5 WHERE case_id = $1 AND position = $2",
            case.case_id, item.position, forged.name, forged.previous, previous,
        )  # fmt: skip
    page, command = await faults_of(world, case)
    assert [position for position, _ in page] == [2, 3, 4] and page == command
    assert {what for _, what in page} == {"The journal has another value for this item."}


async def test_changed_and_lost_content_are_found_and_not_handed_out(world, tmp_path_factory):
    case, contact = await filled_case(world, "Hôpital C")
    items = await world.evidence.items(contact, case.case_id)
    changed, lost = (path_of(world, item.sha256) for item in items[1:3])
    await asyncio.to_thread(changed.chmod, 0o600)
    await asyncio.to_thread(changed.write_bytes, b"something else")
    await asyncio.to_thread(lost.unlink)
    page, command = await faults_of(world, case)
    assert page == command == [(2, "The content was changed."), (3, "The content is lost.")]
    for position in (2, 3):
        assert await refused(world.evidence.read(contact, case.case_id, position)) == 409


def path_of(world, digest: bytes) -> Path:
    """Return the file of an object."""
    [path] = [one for one in world.objects._folder.rglob("*") if digest.hex() in str(one).replace("/", "")]
    return path


async def test_removed_item_in_the_middle_is_found_on_the_page_and_the_last_by_the_command(world):
    case, _ = await filled_case(world, "Hôpital D")
    await world.tamper("DELETE FROM soc_evidence WHERE case_id = $1 AND position = 4", case.case_id)
    page, command = await faults_of(world, case)
    assert page == [] and command == [(4, "An item is missing here.")]
    await world.tamper("DELETE FROM soc_evidence WHERE case_id = $1 AND position = 2", case.case_id)
    page, _ = await faults_of(world, case)
    assert page == [(2, "An item is missing here.")]


async def test_many_add_at_once_and_the_chain_has_no_gap(world):
    case, contact = await filled_case(world, "Hôpital E")
    calls = (world.evidence.add(contact, case.case_id, f"f{n}", "text/plain", b"%d" % n) for n in range(8))
    await asyncio.gather(*calls)
    items = await world.evidence.items(contact, case.case_id)
    assert [one.position for one in items] == [*range(1, 13)]
    assert await faults_of(world, case) == ([], [])


@pytest.mark.parametrize("content", [b"", bytes(MAX_BYTES + 1)])
async def test_empty_and_giant_file_are_refused(world, content):
    case, contact = await filled_case(world, f"Hôpital {len(content)}")
    assert await refused(world.evidence.add(contact, case.case_id, "f", "text/plain", content)) == 400
    assert len(await world.evidence.items(contact, case.case_id)) == 4


async def test_contact_of_another_member_reaches_no_evidence(world):
    case, _ = await filled_case(world, "Hôpital F")
    _, stranger = await world.member("Hôpital G")
    for call in (
        world.evidence.items(stranger, case.case_id),
        world.evidence.read(stranger, case.case_id, 1),
        world.evidence.add(stranger, case.case_id, "f", "text/plain", b"x"),
        world.evidence.verify(stranger, case.case_id),
    ):
        assert await refused(call) == 404


async def test_adding_and_reading_are_journalled(world):
    case, contact = await filled_case(world, "Hôpital H")
    await world.evidence.read(contact, case.case_id, 2)
    for name, count in (("added", 4), ("read", 1)):
        assert (
            len([one for one in await world.journalled(f"soc.evidence_{name}") if str(case.case_id) in one]) == count
        )
