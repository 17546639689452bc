"""The commands of the bulletin: build, preview, release by another person, revise; and a portal that fails."""

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from esante.contract import Platform
from esante.services.bulletin import Bulletin, store
from esante.services.bulletin.releases import vintage_store
from tests.e2e.processes import environment, esante, free_port
from tests.e2e.worlds import opened
from tests.support.bulletin_journal import LAST, acknowledge_all, load_past

NO_OUTPUT: dict[str, int] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
FAILING_PORTAL = """
import http.server, sys
class Portal(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_error(500, "out of order")
    do_POST = do_PUT = do_GET
server = http.server.HTTPServer(("127.0.0.1", 0), Portal)
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    """A running platform over one invented month."""
    async with opened(tmp_path / "data") as platform:
        await load_past(platform.journal, 1, size=0.1)
        yield platform


@pytest.fixture
def failing_portal() -> Iterator[str]:
    """The address of a portal, a process of its own, that answers every request with status 500."""
    with subprocess.Popen([sys.executable, "-c", FAILING_PORTAL], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.kill()


async def bulletin(data: Path, *arguments: str | Path, by: str = "", **extra: str) -> tuple[int, str]:
    """Run a command; return its exit code and output."""
    who = ("--by", by) if by else ()
    done = await asyncio.to_thread(esante, "bulletin", *arguments, *who, "--data", data, check=False, **extra)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.mark.long  # eleven commands, each a process of its own
async def test_month_from_build_to_revision(platform: Platform, tmp_path: Path) -> None:
    data, draft = tmp_path / "data", tmp_path / "draft"
    code, output = await bulletin(data, "build", LAST, "--out", draft, by="anna")
    assert code == 0
    assert f"{LAST}  vintage 1  provisional" in output
    assert "intruder audit: 0 disclosed cells" in output
    assert {file.suffix for file in draft.iterdir()} >= {".csv", ".xlsx", ".parquet", ".json", ".pdf", ".ttl"}
    code, output = await bulletin(data, "build", LAST, by="anna")
    assert (code, "0 new vintages; intruder audit: 0 disclosed cells" in output) == (0, True)

    code, output = await bulletin(data, "release", LAST, by="ben")
    assert code == 1
    assert "nobody has looked at the issue yet" in output
    code, output = await bulletin(data, "preview", LAST, by="anna")
    assert code == 0
    first, *others = re.findall(r"^(\S+) (\S+) '(.+)' .*TO BE ACKNOWLEDGED$", output, re.MULTILINE)
    assert (await bulletin(data, "acknowledge", *first, "--note", "looked into", by="anna"))[0] == 0
    for anomaly in others:
        await platform[Bulletin].acknowledge(*anomaly, "anna", "looked into")
    code, output = await bulletin(data, "release", LAST, by="anna")
    assert code == 1
    assert "second person" in output
    code, output = await bulletin(data, "release", LAST, by="ben")
    assert (code, f"{LAST}  vintage 1  released" in output) == (0, True), output

    code, output = await bulletin(data, "revise", LAST, by="anna")
    assert code == 2
    assert "--reason" in output
    code, output = await bulletin(data, "revise", LAST, "--reason", "a rule was wrong", by="anna")
    assert (code, "0 new vintages" in output) == (0, True), "what did not change is not revised"


@pytest.mark.long  # a process for each kill
async def test_killed_builds_are_completed_by_the_next_one(platform: Platform, tmp_path: Path) -> None:
    await load_past(platform.journal, 6, seed=8, size=0.3)
    command = [sys.executable, "-m", "esante.cli", "bulletin", "build", LAST, "--by", "anna", "--data"]
    killed = 0
    for seconds in (1.5, 2, 2.5, 3, 3.5, 4, 5, 6):
        building = await asyncio.create_subprocess_exec(*command, tmp_path / "data", env=environment(), **NO_OUTPUT)
        try:
            await asyncio.wait_for(building.wait(), seconds)
        except TimeoutError:
            killed += 1
            building.kill()
            await building.wait()
    assert killed > 2
    await platform[Bulletin].build(LAST, "anna")
    numbers = {release.period: release.number for release in await vintage_store.fetch_releases(platform.db)}
    assert len(numbers) >= 7
    assert set(numbers.values()) == {1}
    for period in numbers:
        await platform[Bulletin].rebuild(period, 1)
    lake_id = platform[Bulletin].specification.lake_id
    parts = await store.fetch_parts(platform.db, lake_id, 10**9)
    assert sum(part.events for part in parts) == await store.fetch_cursor(platform.db, lake_id) > 5_000


async def test_invalid_month_is_refused_with_message(platform: Platform, tmp_path: Path) -> None:
    for wrong, message in (
        ("2026-13", "is written 2026-10"),
        ("October", "is written 2026-10"),
        ("2100-01", "not begun"),
    ):
        code, output = await bulletin(tmp_path / "data", "build", wrong, by="anna")
        assert code in (1, 2)
        assert message in output


async def test_failing_portal_is_reported(platform: Platform, tmp_path: Path, failing_portal: str) -> None:
    await platform[Bulletin].build(LAST, "anna")
    await acknowledge_all(platform[Bulletin])
    await platform[Bulletin].release(LAST, "ben")
    for portal, message in ((failing_portal, "500"), (f"http://127.0.0.1:{free_port()}", "cannot be reached")):
        portal_settings = {"ESANTE_PORTAL_URL": portal, "ESANTE_PORTAL_KEY": "k", "ESANTE_PORTAL_ORGANIZATION": "o"}
        code, output = await bulletin(tmp_path / "data", "push", **portal_settings)
        assert code == 1
        assert message in output
        assert "nothing is lost, run it again" in output
