"""Print, or write to `docs/conformance.md`, how the FHIRPath compiler does on the official tests for R4.

Needs the tests of HL7 (`fhir-test-cases`): by default in `shared/data/fhirpath` beside the checkout.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from esante.fhir.definitions.errata import Erratum

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

DOCUMENT = ROOT / "docs/conformance.md"
DEFAULT = Path(os.environ.get("ESANTE_SHARED", ROOT.parent / "shared")) / "data/fhirpath"


def account(folder: Path) -> str:
    """The document."""
    from tests.fhir.path_suite import cases, run
    from tests.fhir.test_path_suite import KNOWN_FAILURES

    from esante.fhir.definitions import errata, invariants, search_parameters
    from esante.fhir.path.published import expressions

    results = {case.name: (case, run(case, folder)) for case in cases(folder)}
    failed = {name: case for name, (case, why) in results.items() if why is not None}
    passed = len(results) - len(failed)
    lines = [
        "# Conformance",
        "",
        "Made by `tools/conformance.py`; a test keeps it true.",
        "",
        "## FHIRPath",
        "",
        f"Official tests for R4 (HL7, fhir-test-cases): {passed} of {len(results)} pass "
        f"({100 * passed / len(results):.1f} %). Those that do not:",
        "",
        "| test | expression | cause |",
        "| --- | --- | --- |",
        *(f"| {name} | `{_cell(case.expression)}` | {KNOWN_FAILURES[name]} |" for name, case in failed.items()),
        "",
        "## Expressions of R4",
        "",
        f"{len(invariants())} constraints and {len(search_parameters())} search parameters are in the definitions; "
        f"all {len(set(expressions()))} pairs of an expression and a type compile, or the definitions are not built. "
        "These are not used as published:",
        "",
        "| expression | what is used | cause |",
        "| --- | --- | --- |",
        *map(_erratum, (*errata.CONSTRAINTS, *errata.SEARCH_PARAMETERS)),
        "",
        *_search(),
    ]
    return "\n".join(lines)


def _search() -> list[str]:
    """What of searching works."""
    from esante.fhir.definitions import load, search_parameters
    from esante.fhir.search.parameters import parameters

    known = [each for type_ in load().resource_types for each in parameters(type_).values()]
    refused = sorted({each.code for each in search_parameters()} - {each.code for each in known})
    return [
        "## Search",
        "",
        f"{len({each.url for each in known})} of {len(search_parameters())} search parameters can be searched by, "
        f"{len(known)} pairs of a parameter and a type; refused with a reason: {', '.join(refused)}, `_filter`, "
        "`_list`, `:above` and `:below` of codes, `:in` for value sets whose codes R4 does not list, `_contained`. "
        "The definitions of the two parts of DocumentReference's `relationship` are taken the other way round, as R5 "
        "has them.",
        "",
        "Answers are compared with those of a naive reading of the specification over the plain resources "
        "(`tests/fhir/search_oracle.py`), for searches made up at random: 250 and 80 with includes in each run of the "
        "tests, 8,000 and 2,000 in `make test-long`, over 994 versions of resources with the official examples. "
        "Nothing differs. The index of all official examples is compared with what FHIRPath finds in them.",
        "",
    ]


def _erratum(erratum: "Erratum") -> str:
    used = f"`{_cell(erratum.expression)}`" if erratum.expression else "nothing"
    return f"| {_cell(erratum.key)} | {used} | It {erratum.why}. ({erratum.source}) |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--suite", type=Path, default=DEFAULT, help="folder with the official tests")
    parser.add_argument("--write", action="store_true", help="write the document instead of printing it")
    arguments = parser.parse_args()
    if not (arguments.suite / "tests-fhir-r4.xml").is_file():
        raise SystemExit(f"{arguments.suite} has no tests-fhir-r4.xml; give the folder with --suite.")
    text = account(arguments.suite)
    if arguments.write:
        DOCUMENT.write_text(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
