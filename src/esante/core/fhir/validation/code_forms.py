"""Forms of the codes of SNOMED CT and LOINC, which have check digits: what is wrong can be told without their lists.

Sources: SNOMED CT Technical Implementation Guide, SCTID (6 to 18 digits, Verhoeff) and compositional grammar; LOINC
Users' Guide, appendix on check digits (modulo 10); FHIR R4, Using SNOMED CT, Using LOINC.
"""

import functools
import re

from esante.core.check_digits import luhn_digit, verhoeff_digit

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"

_TERMS = re.compile(r'\|[^|]*\||"[^"]*"')
_SCTID = re.compile(r"[1-9][0-9]{5,17}")
_NUMBERS = re.compile(r"#[-+]?[0-9.]+|[0-9]+")
#: What an expression has between identifiers, terms and numbers.
_CONNECTORS = re.compile(r"[\s+:,={}()<]*")
_LOINC = re.compile(r"(?P<digits>[0-9]{1,7})-(?P<check>[0-9])|[A-Z]{2,4}[0-9]+-[0-9]")


@functools.lru_cache(4096)
def find_code_fault(system: str, code: str) -> str | None:
    """Return why a code cannot be one of SNOMED CT or LOINC; None where it may be, and for other systems."""
    if system == SNOMED and not _is_snomed(code):
        return "An identifier of SNOMED CT has 6 to 18 digits, the last of which is its check digit"
    if system == LOINC and not _is_loinc(code):
        return "A code of LOINC has a number, a hyphen and its check digit, such as 2823-3"
    return None


def _is_snomed(code: str) -> bool:
    """Return whether a text is an identifier, or an expression of identifiers."""
    if _SCTID.fullmatch(code):
        return verhoeff_digit(code[:-1]) == code[-1]
    plain = _TERMS.sub(" ", code)
    identifiers = [each for each in _NUMBERS.findall(plain) if not each.startswith("#")]
    is_expression = bool(identifiers) and _CONNECTORS.fullmatch(_NUMBERS.sub("", plain)) is not None
    return is_expression and all(_SCTID.fullmatch(each) and _is_snomed(each) for each in identifiers)


def _is_loinc(code: str) -> bool:
    match = _LOINC.fullmatch(code)
    if match is None or match["digits"] is None:
        return match is not None
    return luhn_digit(match["digits"]) == match["check"]
