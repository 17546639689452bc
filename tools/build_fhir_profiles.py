"""Compile the profiles of implementation guides into `src/esante/core/fhir/definitions/profiles.bin`.

Input: R4's own profiles and extensions, and every package in package.json for FHIR 4.0.1; a line there adds another
one. Of the snapshot of a profile the rules beyond R4 are kept; each rule that cannot be checked is printed, and
reported by every check against the profile.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from esante.core.fhir.definitions import errata  # noqa: E402
from esante.core.fhir.profiles import definitions as d  # noqa: E402
from esante.core.types import Json  # noqa: E402
from tools import build_fhir_definitions as r4  # noqa: E402
from tools.profile_rules import ProfileCompiler, ProfileSource  # noqa: E402


def find_packages(manifest: Path, modules: Path) -> Iterator[Path]:
    """Yield the folders of the packages that have profiles for R4."""
    listed = json.loads(manifest.read_bytes())
    for name in sorted(listed["dependencies"] | listed["devDependencies"]):
        about = modules / name / "package.json"
        if not about.is_file():
            raise SystemExit(f"{name} is not installed. Run 'npm install' first (see package.json).")
        if r4.VERSION in json.loads(about.read_bytes()).get("fhirVersions", ()):
            yield about.parent


def resources(folder: Path, type_: str) -> Iterator[Json]:
    """Yield the resources of one type in a package."""
    for file in sorted(folder.glob(f"{type_}-*.json")):
        yield json.loads(file.read_bytes(), parse_float=Decimal)


def own_profiles(source: r4.Source) -> Iterator[Json]:
    """Yield R4's own profiles and extensions, corrected by the errata."""
    bindings = {(erratum.element, erratum.value_set) for erratum in errata.BINDINGS}
    constraints = {erratum.key: erratum.expression for erratum in errata.PROFILE_CONSTRAINTS}
    unused: set[object] = {*bindings, *constraints}
    for each in source.resources("profiles-others", "extension-definitions"):
        for element in each["snapshot"]["element"]:
            binding = element.get("binding", {})
            key = element["path"], binding.get("valueSet", "").partition("|")[0]
            if key in bindings:
                binding["strength"] = "extensible"
                unused.discard(key)
            for constraint in element.get("constraint", ()):
                name = f"{element['path']} {constraint['key']}"
                if name in constraints:
                    constraint["expression"] = constraints[name]
                    unused.discard(name)
        yield each
    if unused:
        raise SystemExit(f"errata.py has bindings or constraints that R4 does not have: {unused}. Remove them.")


def build(folders: list[Path], source: r4.Source, own: Iterable[Json] = ()) -> d.Profiles:
    """Return the compiled profiles of all packages, and R4's `own`."""
    found = ProfileSource(source)
    origin: dict[str, str] = {}
    for profile in own:
        found.profiles[profile["url"]] = profile
        origin[profile["url"]] = d.R4_PACKAGE
    for folder in folders:
        about = json.loads((folder / "package.json").read_bytes())
        for type_ in ("ValueSet", "CodeSystem"):
            found.add_codes(resources(folder, type_))
        for profile in resources(folder, "StructureDefinition"):
            if profile["kind"] in ("resource", "complex-type") and profile.get("derivation") == "constraint":
                found.profiles[profile["url"]] = profile
                origin[profile["url"]] = f"{about['name']} {about['version']}"
    headers = {}
    for url, profile in sorted(found.profiles.items()):
        rule, not_checked = ProfileCompiler(found, profile).compile()
        for line in not_checked:
            print(f"  {profile['name']}: left out: {line}")
        packed_rule = d.pack_rule(rule)
        headers[url] = d.ProfileHeader(url, profile["version"], profile["type"], origin[url], not_checked, packed_rule)
        print(f"  {profile['name']}: {len(rule)} rules, {len(not_checked)} left out")
    return d.Profiles(headers, found.codes.expanded)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--manifest", type=Path, default=ROOT / "package.json")
    parser.add_argument("--modules", type=Path, default=ROOT / "node_modules")
    parser.add_argument("--out", type=Path, default=d.FILE)
    arguments = parser.parse_args()
    folders = list(find_packages(arguments.manifest, arguments.modules))
    source = r4.Source(r4.DEFAULT_SOURCE)
    compiled = build(folders, source, own_profiles(source))
    data = d.pack_profiles(compiled)
    arguments.out.write_bytes(data)
    print(f"{arguments.out.name}: {len(compiled.profiles)} profiles, {len(data):,} bytes")


if __name__ == "__main__":
    main()
