"""The plan of the packages: declarations, sizes, where SQL stands, the assembly."""

import ast
import importlib
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from esante.packages import PACKAGES

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "esante"
LAYERS = ("core", "identity", "services")
MOST_MODULES = 15
MODULES = sorted(SOURCE.rglob("*.py"))
STATEMENT = re.compile(
    r"\s*(?:SELECT\s.+\sFROM\s|INSERT\s+INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|CREATE\s+(?:TABLE|INDEX)\s|WITH\s+\w+\s+AS\s)",
    re.DOTALL,
)
sys.path.insert(0, str(ROOT / "tools"))
from check_names import banned_words, glossary_faults  # noqa: E402


def test_every_package_of_the_layers_is_listed_and_declared():
    folders = {
        f"esante.{layer}.{folder.name}"
        for layer in LAYERS
        for folder in (SOURCE / layer).iterdir()
        if (folder / "__init__.py").is_file()
    }
    assert folders | {"esante.demo", "esante.portal"} == set(PACKAGES)
    for package in PACKAGES:
        assert importlib.import_module(f"{package}.declaration").SERVICE.package == package


def test_no_folder_has_more_than_fifteen_modules():
    counts = Counter(path.parent for path in MODULES if path.name not in ("__init__.py", "declaration.py", "cli.py"))
    crowded = {str(folder.relative_to(SOURCE)): count for folder, count in counts.items() if count > MOST_MODULES}
    assert crowded == {}


def is_store(path: Path) -> bool:
    """Whether a module may hold SQL."""
    return path.stem == "store" or path.stem.endswith("_store") or path.parent.name in ("store", "sql")


def test_sql_stands_in_stores_only():
    found = [
        f"{path.relative_to(SOURCE)}:{node.lineno}"
        for path in MODULES
        if not is_store(path) and "storage" not in path.parts
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and STATEMENT.match(node.value)
    ]
    assert found == []


@pytest.mark.parametrize(("module", "lines"), [("app.py", 150), ("cli.py", 100)])
def test_assembly_stays_short(module, lines):
    assert len((SOURCE / module).read_text("utf-8").splitlines()) < lines


def test_assembly_names_no_service():
    for module in ("app.py", "cli.py", "contract.py", "notifications.py", "command_line.py", "settings.py"):
        names = re.findall(r"esante\.(?:services|portal|demo)\b\S*", (SOURCE / module).read_text("utf-8"))
        assert names == [], module


def test_names_are_those_of_the_glossary():
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "check_names.py"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("name", "words"), [("append_entry", []), ("what_was_told", ["told"]), ("ClinicalFace", ["face"])]
)
def test_banned_word_in_an_identifier_is_found(name, words):
    assert banned_words(name) == words


def test_term_defined_twice_is_found():
    assert [*glossary_faults("| Term | x |\n| record | a |\n| grant | b |\n| Record | c |\n")] == [
        "docs/glossary.md: record is defined twice"
    ]
