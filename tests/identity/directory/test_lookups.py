"""Identifiers of persons are resolved in one place: who calls it is listed, and nothing goes around it."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[3] / "src" / "esante"
PLACE = "identity/directory/service.py"
"""The module that counts look-ups (`Directory.lookups`) and journals those that find nobody."""
CALLERS = {
    "find_person": Counter(
        {
            "core/journal/cli.py": 1,
            "identity/access/consent/break_glass.py": 1,
            "identity/access/stays/encounter_api.py": 1,
            "identity/access/stays/hospital_stays.py": 1,
            "identity/directory/cli.py": 1,
            "identity/directory/patient_param.py": 1,
            "identity/signin/providers/service.py": 1,
            "services/billing/note/service.py": 1,
            "services/billing/pid/cases.py": 1,
            "services/billing/ra/service.py": 1,
            "services/exchange/connector/patients.py": 1,
            "services/exchange/hospital/patients.py": 1,
            "services/imaging/dicomweb/paths.py": 1,
            "services/imaging/dicomweb/qido.py": 1,
            "services/imaging/discovery/patient_identifier.py": 2,
            "services/imaging/ingest/admission.py": 1,
            "services/record/clinical/transactions/reference_resolver.py": 1,
            "services/record/documents/mhd_parser.py": 1,
            "services/soc/health/cli.py": 1,
            "services/soc/health/lists/service.py": 1,
        }
    ),
    "search_persons": Counter(
        {
            "identity/access/service.py": 1,
            "identity/directory/api.py": 1,
            "identity/directory/pix/pix_api.py": 1,
            "services/exchange/hospital/identification.py": 2,
            "services/record/pages/forms.py": 1,
        }
    ),
    "look_up_person": Counter(
        {
            "identity/access/pages/dispositions.py": 1,
            "identity/signin/pages/operator.py": 1,
            "services/notices/letter_pages.py": 1,
        }
    ),
    "find_persons_by_identifier": Counter({PLACE: 2}),
    "find_persons_by_name": Counter({PLACE: 1}),
    "find_match_candidates": Counter({"identity/directory/matching/service.py": 1}),
    "find_namesakes": Counter({"identity/directory/comparison/namesakes.py": 1}),
}
"""Who resolves an identifier, or searches for persons, by the function called. A new caller must answer alike for known
and unknown persons, as far as the requester could not see the person anyway: look at it before you add it here."""
SQL_OF_PERSONS = re.compile(r"\bperson_identifier\b|\b(?:FROM|JOIN|INTO|UPDATE)\s+person\b")


def calls(path: Path) -> Iterator[str]:
    """Yield the name of each method or function that a module calls."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            function = node.func
            yield getattr(function, "attr", None) or getattr(function, "id", "")


def test_persons_are_looked_up_by_the_listed_callers_only():
    found = {name: Counter() for name in CALLERS}
    for path in SOURCE.rglob("*.py"):
        for name in calls(path):
            if name in found:
                found[name][path.relative_to(SOURCE).as_posix()] += 1
    assert found == CALLERS


def test_tables_of_persons_are_read_by_the_directory_only():
    found = [
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if SQL_OF_PERSONS.search(path.read_text("utf-8")) and "directory" not in path.parts
    ]
    assert found == ["demo/store.py"]  # counts the synthetic persons
