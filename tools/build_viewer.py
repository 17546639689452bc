"""Take the viewer for professionals (OHIF) from npm, pruned, to `services/imaging/static/viewer/`.

Its package holds a built site, but cannot be installed (its dependencies are not published), so it is packed: the
tarball is checked against its SHA-512 and unpacked, without what is not used: models and runtime of segmentation by
AI, microscopy, source maps, other sign-ins, the service worker, icons of launchers. The site is built for the root of
an origin: the addresses of its files are rewritten to their place. What compresses well is kept compressed.
"""

import base64
import gzip
import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "src/esante/services/imaging/static/viewer"
PACKAGE, VERSION = "@ohif/app", "3.12.10"
SHA512 = "0kuF66Mq9c9dMD++bUsTjMrJpXJwaZhz9B4uS244DawAjSkTwIYFU93pxPuRUQixaRi7QAHlF3Fe1qudBlZrmA=="
PLACE = "/static/imaging/viewer/"
"""The address of the files (`services/imaging/pages/viewer_pages.py`)."""
SITE = "package/dist/"
LEFT_OUT = re.compile(
    r".*\.map|(ort|dicom-microscopy-viewer)/.*|assets/(?!images/).*|index\.html|app-config\.js|google\.js|sw\.js"
    r"|init-service-worker\.js|oidc-client\.min\.js|silent-refresh\.html|es6-shim\.min\.js|polyfill\.min\.js"
    r"|manifest\.json|serve\.json|_.*"
)
ENTRY = re.compile(r"app\.bundle\.(?:[0-9a-f]+\.)?(js|css)")
ROOT_PATH = re.compile(rb'__webpack_require__\.p = "/"')
ROOT_URL = re.compile(rb"url\(/(?=[0-9a-f]+\.woff2\))")
COMPRESSED = (".js", ".css", ".wasm")
# Written last: make takes it for the sign that the directory is complete.
LICENCE = "LICENCE.txt"


def main() -> int:
    """Fill the directory anew, so that nothing of an earlier version stays."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            tarball = pack(Path(folder))
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"{PACKAGE} {VERSION} could not be fetched: {error}", file=sys.stderr)
            return 1
        digest = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
        if digest != SHA512:
            print(f"{PACKAGE} {VERSION} has the SHA-512 {digest} instead of {SHA512}.", file=sys.stderr)
            return 1
        shutil.rmtree(TARGET, ignore_errors=True)
        with tarfile.open(tarball) as archive:
            count, rewritten = unpack(archive)
            licence = archive.extractfile("package/LICENSE")
            if licence is None or rewritten < 2:
                print(f"{PACKAGE} {VERSION} is not built as expected.", file=sys.stderr)
                return 1
            (TARGET / LICENCE).write_bytes(f"OHIF Viewer {VERSION}\n\n".encode() + licence.read())
    size = sum(path.stat().st_size for path in TARGET.rglob("*") if path.is_file())
    print(f"viewer: {count} files, {size / 1e6:.0f} MB")
    return 0


def pack(folder: Path) -> Path:
    """Fetch the tarball of the package to a folder; return it."""
    command = ["npm", "pack", f"{PACKAGE}@{VERSION}", "--silent", "--pack-destination", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)
    (tarball,) = folder.glob("*.tgz")
    return tarball


def unpack(archive: tarfile.TarFile) -> tuple[int, int]:
    """Write the files of the site that are used; return how many, and in how many addresses were rewritten."""
    count = rewritten = 0
    for member in archive:
        name = member.name.removeprefix(SITE)
        if not member.isfile() or name == member.name or ".." in name or LEFT_OUT.fullmatch(name):
            continue
        if entry := ENTRY.fullmatch(name):
            name = f"app.{entry[1]}"
        content = archive.extractfile(member)
        data = content.read() if content else b""
        placed = ROOT_PATH.sub(f'__webpack_require__.p = "{PLACE}"'.encode(), data)
        placed = ROOT_URL.sub(f"url({PLACE}".encode(), placed) if name.endswith(".css") else placed
        rewritten += placed != data
        is_compressed = name.endswith(COMPRESSED)
        path = TARGET / (f"{name}.gz" if is_compressed else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(placed, mtime=0) if is_compressed else placed)
        count += 1
    return count, rewritten


if __name__ == "__main__":
    sys.exit(main())
