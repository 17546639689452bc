"""The build of the viewer from its package: nothing but the pinned bytes, pruned, at its own place."""

import base64
import gzip
import hashlib
import io
import tarfile

import pytest
from tools import build_viewer

FILES = {
    "package/LICENSE": b"MIT",
    "package/dist/app.bundle.0123456789abcdef0123.js": b'__webpack_require__.p = "/";',
    "package/dist/app.bundle.css": b"@font-face{src:url(/0123456789abcdef0123.woff2)}",
    "package/dist/0123456789abcdef0123.wasm": b"wasm",
    "package/dist/0123456789abcdef0123.woff2": b"font",
    "package/dist/app.js.map": b"left out",
    "package/dist/ort/ort.wasm": b"left out",
    "package/dist/index.html": b"left out",
    "package/dist/../../escaped.js": b"left out",
    "package/other/x.js": b"left out",
}


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """A package in place of the one of npm, and an empty folder for the viewer."""
    tarball = tmp_path / "viewer.tgz"
    with tarfile.open(tarball, "w:gz") as archive:
        for name, data in FILES.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    monkeypatch.setattr(build_viewer, "pack", lambda folder: tarball)
    monkeypatch.setattr(build_viewer, "TARGET", tmp_path / "viewer")
    monkeypatch.setattr(
        build_viewer, "SHA512", base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    )
    return tarball


def test_package_is_unpacked_pruned_and_moved_to_its_place(packed):
    assert build_viewer.main() == 0
    folder = build_viewer.TARGET
    assert {path.name for path in folder.rglob("*")} == {
        "LICENCE.txt",
        "app.js.gz",
        "app.css.gz",
        "0123456789abcdef0123.wasm.gz",
        "0123456789abcdef0123.woff2",
    }
    assert gzip.decompress((folder / "app.js.gz").read_bytes()) == (
        b'__webpack_require__.p = "/static/imaging/viewer/";'
    )
    assert b"url(/static/imaging/viewer/0123" in gzip.decompress((folder / "app.css.gz").read_bytes())


def test_other_bytes_than_the_pinned_ones_are_refused(packed, capsys):
    packed.write_bytes(packed.read_bytes() + b"\0")
    assert build_viewer.main() == 1
    assert not build_viewer.TARGET.exists()
    assert "SHA-512" in capsys.readouterr().err


def test_package_that_cannot_be_fetched_is_named(packed, monkeypatch, capsys):
    def fail(folder):
        raise OSError("no npm here")

    monkeypatch.setattr(build_viewer, "pack", fail)
    assert build_viewer.main() == 1
    assert "@ohif/app" in capsys.readouterr().err
