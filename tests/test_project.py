"""What holds for the project as a whole: its version, its pins, and what must never be in it."""

import re
import subprocess
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

import esante
from esante.packages import declared_services
from esante.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
# In pieces, so that this file does not name what it forbids.
REGISTRIES = [
    first + rest
    for first, rest in (("py", "pi.org"), ("python", "hosted"), ("registry.", "npmjs"), ("registry.", "yarnpkg"))
]
PERSONAL = "|".join(("root", r"home/\w+", "work", r"Users/\w+"))
MACHINE_PATHS = re.compile(rf"(?<![\w.~}}-])/(?:{PERSONAL})/[\w.]".encode())


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout, so there is no list of the project's files")
    paths = (ROOT / name for name in listed.stdout.decode().split("\0") if name)
    return [path for path in paths if path.is_file()]


def test_the_package_has_the_version_that_is_published() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert esante.__version__ == project["version"]


def test_no_file_names_a_package_registry() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {registry}"
        for path in tracked_files()
        for registry in REGISTRIES
        if registry.encode() in path.read_bytes().lower()
    ]
    assert found == []


def test_no_file_names_a_path_of_one_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match.group().decode()}"
        for path in tracked_files()
        for match in MACHINE_PATHS.finditer(path.read_bytes())
    ]
    assert found == []


@pytest.mark.parametrize("name", ["uv", "base", "dev", "bench"])
def test_every_requirement_is_pinned_with_a_hash(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text("utf-8")
    entries = [entry for entry in re.split(r"\n(?=\S)", text) if entry and not entry.startswith("#")]
    loose = [
        entry.splitlines()[0]
        for entry in entries
        if not re.match(r"[a-z0-9._-]+==\S+", entry) or "--hash=sha256:" not in entry
    ]
    assert entries
    assert loose == []


def test_every_runtime_dependency_is_in_the_pins() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = {re.match(r"[\w-]+", line)[0].lower() for line in project["dependencies"]}  # type: ignore[index]
    pins = (ROOT / "requirements/base.txt").read_text("utf-8")
    assert wanted - set(re.findall(r"^([a-z0-9._-]+)==", pins, re.MULTILINE)) == set()


def test_no_source_file_has_outgrown_one_subject() -> None:
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in (ROOT / "src").rglob("*.py")}
    assert [f"{path.relative_to(ROOT)}: {length} lines" for path, length in lengths.items() if length >= 700] == []


def test_shell_scripts_are_executable() -> None:
    scripts = [path for path in tracked_files() if path.suffix == ".sh" or path.match(".ci/run")]
    assert scripts
    assert [path.name for path in scripts if not path.stat().st_mode & 0o100] == []


def test_every_setting_is_described_in_the_operations_guide() -> None:
    described = set(re.findall(r"`(ESANTE_\w+)`", (ROOT / "docs" / "operations.md").read_text("utf-8")))
    kinds = [Settings, *(service.settings for service in declared_services() if service.settings)]
    wanted = {
        f"ESANTE_{one.name.upper()}" for kind in kinds for one in fields(kind) if one.metadata.get("environ", True)
    }
    assert wanted - described == set()
