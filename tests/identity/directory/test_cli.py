"""The commands that suspend and restore somebody."""

import pytest

from esante.core.storage import NIL
from esante.identity.access import Access, SignInsEnded
from esante.identity.directory import HolderRestored, HolderSuspended
from tests.support.processes import run_esante
from tests.support.small_world import build_small_world, open_test_platform


@pytest.fixture
async def world(tmp_path):
    """A small world of this test's own."""
    return await build_small_world(tmp_path / "data")


async def test_suspended_professional_loses_sign_ins_and_is_restored(world):
    doctor = world.holders["doctor"]
    done = run_esante("directory", "suspend", "muller", "--reason", "struck off", "--data", world.data)
    assert str(doctor.id) in done.stdout and "1 sessions, 1 tokens, 0 apps" in done.stdout
    unknown = run_esante("directory", "suspend", "nobody", "--reason", "x", "--data", world.data, check=False)
    assert unknown.returncode != 0 and "0 entries" in unknown.stderr
    async with open_test_platform(world.data) as platform:
        assert await platform[Access].reauthorize(doctor) is None
    assert str(doctor.id) in run_esante("directory", "restore", str(doctor.id), "--data", world.data).stdout
    async with open_test_platform(world.data) as platform:
        assert await platform[Access].reauthorize(doctor) is not None
        entries = await platform.journal.entries_of(NIL, [HolderSuspended, SignInsEnded, HolderRestored])
    assert [type(entry.event) for entry in reversed(entries)] == [HolderSuspended, SignInsEnded, HolderRestored]
