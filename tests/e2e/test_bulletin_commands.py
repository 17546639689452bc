"""The commands of the bulletin: build, preview, release by another person, revise; and a failing portal."""

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
from tests.support.bulletin_journal import LAST, load_past
from tests.support.processes import environment, free_port, run_esante
from tests.support.small_world import open_test_platform

QUIET: dict[str, int] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
BROKEN_PORTAL = """
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
    """An open platform with one synthetic month."""
    async with open_test_platform(tmp_path / "data") as platform:
        await load_past(platform.journal, 1, size=0.1)
        yield platform


@pytest.fixture
def broken_portal() -> Iterator[str]:
    """The address of a portal that answers 500 to every request."""
    with subprocess.Popen([sys.executable, "-c", BROKEN_PORTAL], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.kill()


async def bulletin(data: Path, *arguments: str | Path, by: str = "", **extra: str) -> tuple[int, str]:
    """Run a bulletin command; return its exit code and output."""
    by_option = ("--by", by) if by else ()
    done = await asyncio.to_thread(
        run_esante, "bulletin", *arguments, *by_option, "--data", data, check=False, **extra
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.mark.long  # eleven commands, each a process of its own
async def test_month_is_built_released_by_another_person_and_revised(platform: Platform, tmp_path: Path) -> None:
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
    for found in others:
        await platform[Bulletin].acknowledge(*found, "anna", "looked into")
    code, output = await bulletin(data, "release", LAST, by="anna")
    assert code == 1
    assert "second person" in output
    code, output = await bulletin(data, "release", LAST, by="ben")
    assert (code, f"{LAST}  vintage 1  released" in output) == (0, True), output

    code, output = await bulletin(data, "revise", LAST, by="anna")
    assert code == 2
    assert "--reason" in output
    code, output = await bulletin(data, "revise", LAST, "--reason", "a rule was wrong", by="anna")
    assert (code, "0 new" in output) == (0, True), "what did not change is not revised"


@pytest.mark.long  # a process for each kill
async def test_build_that_is_killed_repeatedly_can_be_completed(platform: Platform, tmp_path: Path) -> None:
    await load_past(platform.journal, 6, seed=8, size=0.3)
    command = [sys.executable, "-m", "esante.cli", "bulletin", "build", LAST, "--by", "anna", "--data"]
    killed = 0
    for seconds in (1.5, 2, 2.5, 3, 3.5, 4, 5, 6):
        building = await asyncio.create_subprocess_exec(*command, tmp_path / "data", env=environment(), **QUIET)
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
    reader = platform[Bulletin].specification.lake_id
    parts = await store.fetch_parts(platform.db, reader, 10**9)
    assert sum(part.events for part in parts) == await store.fetch_cursor(platform.db, reader) > 5_000


async def test_invalid_month_is_refused_with_an_explanation(platform: Platform, tmp_path: Path) -> None:
    for wrong, words in (
        ("2026-13", "is written 2026-10"),
        ("October", "is written 2026-10"),
        ("2100-01", "not begun"),
    ):
        code, output = await bulletin(tmp_path / "data", "build", wrong, by="anna")
        assert code in (1, 2)
        assert words in output


async def test_failing_portal_is_reported(platform: Platform, tmp_path: Path, broken_portal: str) -> None:
    await platform[Bulletin].build(LAST, "anna")
    await platform[Bulletin].preview(LAST, "anna")
    for found in await platform[Bulletin].fetch_anomalies(LAST):
        await platform[Bulletin].acknowledge(found.period, found.code, found.subject, "anna", "seen")
    await platform[Bulletin].release(LAST, "ben")
    for portal, words in ((broken_portal, "500"), (f"http://127.0.0.1:{free_port()}", "cannot be reached")):
        settings = {"ESANTE_PORTAL_URL": portal, "ESANTE_PORTAL_KEY": "k", "ESANTE_PORTAL_ORGANIZATION": "o"}
        code, output = await bulletin(tmp_path / "data", "push", **settings)
        assert code == 1
        assert words in output
        assert "nothing is lost, run it again" in output
