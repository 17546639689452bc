"""The Python verifier and that of the browser give the same verdict on every vector, the one that the vector names."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from esante.core.journal import standalone_verifier
from tests.support.proof_vectors import FOLDER, assert_verdict, vectors

FILES = sorted(FOLDER.glob("*.json"))
BROWSER_VERIFIER = Path(standalone_verifier.__file__).parent / "static" / "proof_verifier.js"


def read(path):
    """Return a vector."""
    return json.loads(path.read_text(encoding="ascii"))


def verify(vector, folder, capsys):
    """Run the Python verifier; return its exit status and what it prints."""
    text = vector["text"] if "text" in vector else json.dumps(vector["proof"])
    (folder / "proof.json").write_text(text, encoding="utf-8")
    options = ["--key", vector["key"]]
    for key in vector.get("witnesses", []):
        options += ["--witness", key]
    status = standalone_verifier.main([str(folder / "proof.json"), *options])
    return status, capsys.readouterr().out


def test_files_are_those_that_are_made():
    assert {path.stem: read(path) for path in FILES} == vectors()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_python_verifier_gives_the_verdict_of_the_vector(path, tmp_path, capsys):
    vector = read(path)
    status, output = verify(vector, tmp_path, capsys)
    if vector["code"] == "verified":
        assert status == 0, output
        unaltered = vector["entries"] - vector["removed"]
        said = f"all {vector['entries']} entries are here"
        assert (
            f"{said} and unaltered" in output if not vector["removed"] else f"{said}, {unaltered} unaltered" in output
        )
        for size in vector.get("cosigned", []):
            assert f"the tree of {size}\n" in output
    else:
        assert status in (1, 2)
        assert "NOT VERIFIED: " in output
        if vector["code"] in ("altered", "removed"):
            assert f"entry {vector['entry']} " in output
    assert all(character.isprintable() for character in output.replace("\n", ""))


def test_browser_verifier_gives_the_verdict_of_each_vector(tmp_path):
    """Run in Node.js, which has the same WebCrypto; tests/e2e has the page itself in Chromium."""
    assert shutil.which("node"), "Node.js is needed: make install"
    verifier = tmp_path / "proof_verifier.mjs"
    shutil.copy(BROWSER_VERIFIER, verifier)
    script = Path(__file__).with_name("run_vectors.mjs")
    done = subprocess.run(
        ["node", script, verifier.as_uri(), *FILES], capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for path in FILES:
        assert_verdict(read(path), found[str(path)], path.stem)
