"""Print, or write to `docs/conformance.md`, how FHIRPath does on the official tests for R4, and validation on single
faults and on the examples of R4.

Needs real inputs, by default in `shared/data` beside the checkout, and the examples of R4 (`tools/examples.py`).
"""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.core.fhir.examples import Account
    from tests.core.fhir.mutations import Json, Outcome

    from esante.core.fhir.definitions.errata import Erratum

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

DOCUMENT = ROOT / "docs/conformance.md"
DEFAULT = Path(os.environ.get("ESANTE_SHARED", ROOT.parent / "shared")) / "data"

HOSTILE = """\
## Hostile input

60,000 inputs in `make test-long` (400 in each run of the tests), made by lot from valid resources: bytes cut, \
copied, swapped and put in, values moved, repeated and nested. Each is answered by an OperationOutcome that is \
itself right R4, or refused with status 400, within 2 s of processor time. So are the largest bodies of 3 MB of \
each kind that is much work for its size (`tests/core/fhir/heavy.py`): constraints that would take more than 0.8 s \
end with a warning that says so.
"""

FUZZED = """\
## Made-up requests

Two clients for ten minutes at one worker (`make test-long`; 2,000 requests or 15 s in each run of the tests): \
requests made up of what `/metadata` lists, with values that are right, nearly right or hostile. On 2026-11-23 \
71,905 requests: 18,119 answered with 2xx or 304, 53,786 refused with 4xx, none with 5xx; the slowest took 0.46 s (a \
search), the worker 108 MB of memory at most. Every answer was right R4, every refusal an OperationOutcome, and \
nothing of a person whom nobody there may see was in any. The same in a later run of 33,141 requests on a busier \
machine (0.92 s, 109 MB). Single requests that are much work, two of 50 MB at once, and 60 MB of empty entries: \
below 300 MB (`tests/e2e/test_memory.py`).
"""


def account(data: Path, examples: Path) -> str:
    """The document."""
    from tests.core.fhir.examples import judge
    from tests.core.fhir.mutations import survey
    from tests.core.fhir.seeds import of_every_type, of_others, own

    seeds = of_every_type(examples)
    parts = [
        "# Conformance\n\nMade by `tools/conformance.py`; tests keep it true.\n",
        of_paths(data / "fhirpath"),
        of_faults(survey([*own(), *of_others(data)])),
        of_many_faults(seeds, survey([*own(), *seeds], per_seed=2)),
        of_examples(judge(examples)),
        of_profiles(),
        HOSTILE,
        FUZZED,
        of_search(),
    ]
    return "\n".join(parts)


def of_faults(found: "dict[str, Outcome]") -> str:
    """How many single faults are caught."""
    rows = [
        f"| {name} | {each.kinds} | {each.mutants} | {each.caught} | {each.named} |" for name, each in found.items()
    ]
    return "\n".join(
        [
            "## Single faults",
            "",
            f"{sum(each.kinds for each in found.values())} kinds of faults, each put once into every valid resource"
            f" that has a place for it (samples, Synthea, a European patient summary): {_caught(found)}.",
            "",
            "| group | kinds | faults | caught | at the right element |",
            "| --- | --- | --- | --- | --- |",
            *rows,
            *_missed(found),
            "",
        ]
    )


def of_many_faults(seeds: "list[Json]", found: "dict[str, Outcome]") -> str:
    """The same with an example of every type of R4, and which types have none."""
    from esante.core.fhir.definitions import load

    absent = sorted(set(load().resource_types) - {each["resourceType"] for each in seeds})
    told = (
        "Each put twice into the samples and an official example of every type of R4, in `make test-long`:"
        f" {_caught(found)}. Types without a valid example: {', '.join(absent)}."
    )
    return "\n".join([told, *_missed(found), ""])


def _caught(found: "dict[str, Outcome]") -> str:
    _, mutants, caught, named = (sum(each[n] for each in found.values()) for n in range(4))
    return f"{_share(caught, mutants)} caught, {_share(named, mutants)} told at the right element"


def _missed(found: "dict[str, Outcome]") -> list[str]:
    return [f"- {_cell(line)}" for each in found.values() for line in each.missed]


def of_examples(found: "Account") -> str:
    """What of the examples of R4 is refused, and why."""
    rows = []
    for fault in dict.fromkeys(found.faulty.values()):
        names = [name for name, its in found.faulty.items() if its is fault]
        shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more of its kind" if len(names) > 4 else "")
        rows.append(f"| {shown} | {fault.rule} | {fault.source} |")
    falsely = [f"| {name} | **falsely**: {_cell(why)} | |" for name, why in found.falsely.items()]
    return "\n".join(
        [
            "## The examples of R4",
            "",
            f"npm `hl7.fhir.r4.examples` 4.0.1 has {found.files:,} resources; its only other file is package.json. All"
            f" are checked with all constraints; {len(found.doubtful)} have one that cannot be told to hold or to be"
            f" broken. Rejected falsely: {_share(len(found.falsely), found.files)}. Rejected because they break R4"
            f" 4.0.1 itself: {_share(len(found.faulty), found.files)}.",
            "",
            "| file | rule that it breaks | where it stands |",
            "| --- | --- | --- |",
            *falsely,
            *rows,
            "",
        ]
    )


def of_profiles() -> str:
    """Which profiles are known, what of them is not checked, and how the examples of their package do."""
    from tests.core.fhir.profile_examples import REJECTED, judge

    from esante.core.fhir.profiles import heads, rules

    found = judge()
    left_out = [f"- {_cell(line)} ({head.url.rpartition('/')[2]})" for head in heads() for line in head.left_out]
    rejected = [f"- {name}: {_cell(REJECTED.get(name, why))}" for name, why in found.rejected.items()]
    return "\n".join(
        [
            "## Profiles",
            "",
            f"{', '.join(sorted({f'npm `{head.package}`' for head in heads()}))}: {len(heads())} profiles with"
            f" {sum(rules(head.url) for head in heads())} rules beyond R4 (types, cardinality, fixed values and"
            " patterns, required codes that are listed, constraints, slices, references and what they lead to where"
            f" that is at hand). {len(left_out)} rules are not checked, and each outcome of a check says which:",
            "",
            *left_out,
            "",
            f"Its {found.files} examples, and the resources in its Bundles, claim profiles {found.claims} times; each"
            f" is checked against what it claims. Rejected: {len(found.rejected)}.",
            *rejected,
            "",
        ]
    )


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} ({100 * part / whole:.2f} %)"


def of_paths(folder: Path) -> str:
    """How FHIRPath does, on the official tests in a folder and on the expressions of R4."""
    from tests.core.fhir.fhirpath.test_official_suite import KNOWN_FAILURES
    from tests.support.fhirpath_suite import cases, run

    from esante.core.fhir.definitions import errata, invariants, search_parameters
    from esante.core.fhir.fhirpath import iterate_spec_expressions

    expressions = set(iterate_spec_expressions())
    results = {case.name: (case, run(case, folder)) for case in cases(folder)}
    failed = {name: case for name, (case, why) in results.items() if why is not None}
    passed = len(results) - len(failed)
    lines = [
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
        f"all {len(expressions)} pairs of an expression and a type compile, or the definitions are not built. "
        "These are not used as published:",
        "",
        "| expression | what is used | cause |",
        "| --- | --- | --- |",
        *map(_erratum, (*errata.CONSTRAINTS, *errata.SEARCH_PARAMETERS)),
        "",
    ]
    return "\n".join(lines)


def of_search() -> str:
    """What of searching works."""
    from esante.core.fhir.definitions import load, search_parameters
    from esante.core.fhir.search import parameters_of

    known = [each for type_ in load().resource_types for each in parameters_of(type_).values()]
    refused = sorted({each.code for each in search_parameters()} - {each.code for each in known})
    lines = [
        "## Search",
        "",
        f"{len({each.url for each in known})} of {len(search_parameters())} search parameters can be searched by, "
        f"{len(known)} pairs of a parameter and a type; refused with a reason: {', '.join(refused)}, `_filter`, "
        "`_list`, `:above` and `:below` of codes, `:in` for value sets whose codes R4 does not list, `_contained`. "
        "The definitions of the two parts of DocumentReference's `relationship` are taken the other way round, as R5 "
        "has them.",
        "",
        "Answers are compared with those of a naive reading of the specification over the plain resources "
        "(`tests/core/fhir/search_oracle.py`), for searches made up at random: 250 and 80 with includes in each run "
        "of the tests, 8,000 and 2,000 in `make test-long`, over 994 versions of resources with the official "
        "examples. Nothing differs. The index of all official examples is compared with what FHIRPath finds in them.",
        "",
    ]
    return "\n".join(lines)


def _erratum(erratum: "Erratum") -> str:
    used = f"`{_cell(erratum.expression)}`" if erratum.expression else "nothing"
    return f"| {_cell(erratum.key)} | {used} | It {erratum.why}. ({erratum.source}) |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> None:
    """Command line."""
    from tools.examples import examples

    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--data", type=Path, default=DEFAULT, help="folder with real inputs")
    parser.add_argument("--write", action="store_true", help="write the document instead of printing it")
    arguments = parser.parse_args()
    if not (arguments.data / "fhirpath/tests-fhir-r4.xml").is_file():
        raise SystemExit(f"{arguments.data} has no fhirpath/tests-fhir-r4.xml; give the folder with --data.")
    try:
        text = account(arguments.data, examples())
    except RuntimeError as error:
        raise SystemExit(str(error)) from error
    if arguments.write:
        DOCUMENT.write_text(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
