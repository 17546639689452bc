"""Codes of R4's own code systems, of which all are known without a terminology server.

Sources: FHIR R4, Coding.system and Coding.code; Code Systems (section 4.2: content complete).
"""

from collections.abc import Iterator

from esante.core.fhir.definitions import terminology
from esante.core.fhir.model import ElementPath, Finding, Severity
from esante.core.fhir.validation.code_forms import find_code_fault

_VALUE_SETS = ("http://hl7.org/fhir/ValueSet/", "http://terminology.hl7.org/ValueSet/")
_R4 = "http://hl7.org/fhir/"
_VERSION = "4.0.1"


def is_value_set(address: str) -> bool:
    """Return whether an address is that of a value set of HL7."""
    return address in terminology().value_sets or address.startswith(_VALUE_SETS)


def check_code(system: str, code: str, path: ElementPath, version: object = None) -> Iterator[Finding]:
    """Yield a finding for a code that a code system of R4 does not have, or that cannot be one of its system.

    Code systems in http://hl7.org/fhir/ belong to R4 itself; others have versions of their own, so there it is a
    warning.
    """
    if fault := find_code_fault(system, code):
        yield Finding("error", "code-invalid", path, f'"{code[:80]}" is no code of {system}. {fault}.')
    known = terminology().code_systems.get(system)
    if known is None or code in known.codes or version not in (None, _VERSION):
        return
    severity: Severity = "error" if system.startswith(_R4) else "warning"
    listed = ", ".join(sorted(known.codes)) if len(known.codes) <= 20 else f"{len(known.codes)} codes"
    text = f'The code system {system} has no code "{code[:80]}" in FHIR R4. It has: {listed}.'
    yield Finding(severity, "code-invalid", path, text)
