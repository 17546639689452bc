"""Validation of FHIR R4 resources: structure, rules over several elements, invariants and profiles.

- `check(data)`: all problems of the bytes of a resource, each with its location and remedy.
- `check_all(resources)`: the same for several resources at once.
- `passes_fast_check(data)`: the fast pass alone.
- `check_invariants(resource)`: the constraints of R4 alone.
- `check_file(name)`: a `FileReport` for the command line; `summarise(reports)`: one line about several.
"""

from esante.core.fhir.validation.file_report import FileReport, check_file, summarise
from esante.core.fhir.validation.invariants import check_invariants
from esante.core.fhir.validation.validator import check, check_all, passes_fast_check

__all__ = ["FileReport", "check", "check_all", "check_file", "check_invariants", "passes_fast_check", "summarise"]
