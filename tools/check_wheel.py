"""Hold a built wheel to what its user needs: he has no Node, so the files that Node brought must be in it."""

import sys
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parent.parent
BUILT = (
    "src/esante/core/web/static/vendor/*",
    "src/esante/services/imaging/static/viewer/*.*",
    "src/esante/core/fhir/definitions/*.bin",
)


def main(directory: Path) -> int:
    """Compare the one wheel in `directory` with the checkout; 0 when nothing is missing."""
    wheels = list(directory.glob("esante-*.whl"))
    if len(wheels) != 1:
        print(f"{directory} holds {len(wheels)} wheels of esante instead of one.", file=sys.stderr)
        return 1
    with ZipFile(wheels[0]) as wheel:
        carried = set(wheel.namelist())
    wanted = {str(path.relative_to(ROOT / "src")) for pattern in BUILT for path in ROOT.glob(pattern)}
    wanted |= {str(path.relative_to(ROOT / "src")) for path in ROOT.glob("src/esante/**/*.py")}
    missing = sorted(wanted - carried)
    if missing:
        print(f"{wheels[0].name} lacks: {', '.join(missing)}", file=sys.stderr)
        return 1
    built = sum(not name.endswith(".py") for name in wanted)
    size = wheels[0].stat().st_size / 1e6
    print(f"{wheels[0]}: {len(carried)} files, {size:.1f} MB, {built} of them built")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
