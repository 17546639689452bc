"""The examples of FHIR R4: npm `hl7.fhir.r4.examples`, 190 MB, at the version in requirements/examples.

They are too many for the checkout, so they are kept in the user's cache; `python tools/examples.py` fetches them and
prints the folder. ESANTE_R4_EXAMPLES names another folder.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINNED = ROOT / "requirements" / "examples"


class ExamplesUnavailable(RuntimeError):
    """The examples of R4 cannot be fetched."""


def examples() -> Path:
    """Return the folder of the examples, which is fetched when it is absent.

    Raises: ExamplesUnavailable when it cannot be fetched.
    """
    if named := os.environ.get("ESANTE_R4_EXAMPLES"):
        return Path(named)
    lock = (PINNED / "package-lock.json").read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = cache / "esante" / f"examples-{hashlib.sha256(lock).hexdigest()[:12]}"
    folder, ready = home / "node_modules" / "hl7.fhir.r4.examples", home / "ready"
    if not ready.exists():
        home.mkdir(parents=True, exist_ok=True)
        for file in (PINNED / "package.json", PINNED / "package-lock.json", ROOT / ".npmrc"):
            shutil.copy(file, home)
        try:
            subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=home, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise ExamplesUnavailable(f"the examples of R4 cannot be fetched: {error}") from error
        ready.touch()
    return folder


if __name__ == "__main__":
    sys.stdout.write(f"{examples()}\n")
