"""Faults of FHIR writes and searches that others found, by their own scripts, against a running server."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.conftest import SHARED
from tests.e2e.conftest import copy_world
from tests.support.processes import Server
from tests.support.small_world import SmallWorld

FAULTS = SHARED / "data" / "faults"
UUID_URN = r"urn:uuid:[0-9a-f-]{36}"
WANTED = {
    "01-string-search-of-punctuation": [
        r'"total":0\b',
        r"\n201\n",
        r'\n201\n"valueString":"negative"\n',
        r"\n204 200\n$",
    ],
    "02-json-escapes-in-transaction-references": [r'"reference":"Observation/[0-9a-f]{64}"'],
    "04-subsetted-overwrites": [r"\n4\d\d\n", r"\n1\n$"],
    "05-search-by-local-day": [
        r'^2026-07-01 "total":1\n2026-07 "total":1\n2026-06-30 "total":0\n2026-06 "total":0\n$'
    ],
    "07-transaction-which-links": [
        r"^200\n",
        r'href=\\"Observation/[0-9a-f]{64}\\"',
        rf'"valueCanonical": "{UUID_URN}"',
        rf'"valueString": "{UUID_URN}"',
        rf'"text": "{UUID_URN}"',
        r'"reference": "Observation/[0-9a-f]{64}"',
        r"\n200\n$",
    ],
    "09-put-id-status": [r"^(.*: 400 \(want 400\)\n){3}$"],
    "16-json-patch": [
        r'^HTTP/1.1 200 .*etag: W/"1" +test only.*\n',
        r'\nHTTP/1.1 200 .*etag: W/"1" +empty.*\n',
        r"\nHTTP/1.1 400 .* op twice.*\n",
        r"\nHTTP/1.1 4\d\d .* name twice.*\n",
    ],
}
"""Patterns of what each script prints where the fault is mended."""


@pytest.fixture(scope="module")
def served_world(
    template: SmallWorld, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[SmallWorld, Server]]:
    """A small world on a server of its own."""
    world = copy_world(template, tmp_path_factory.mktemp("faults") / "data")
    with Server(world.data) as server:
        yield world, server
    shutil.rmtree(world.data, ignore_errors=True)


@pytest.mark.parametrize("name", WANTED)
def test_script_of_a_fault_prints_what_it_wants(served_world: tuple[SmallWorld, Server], name: str) -> None:
    script = FAULTS / name / "run.sh"
    if not script.is_file():
        pytest.skip(f"no real inputs: {script} is absent")
    world, server = served_world
    environment = {
        **os.environ,
        "BASE": f"{server.base}/fhir",
        "TOKEN": world.tokens["hospital"],
        "PATIENT": str(world.persons[0].id),
    }
    done = subprocess.run(["bash", script], env=environment, capture_output=True, text=True, timeout=60, check=False)
    for pattern in WANTED[name]:
        assert re.search(pattern, done.stdout, re.IGNORECASE), (pattern, done.stdout, done.stderr)
