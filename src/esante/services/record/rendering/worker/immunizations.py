"""The vaccinations that a CDA R2 document tells in coded form: those of its section of immunizations.

Pure functions of the parsed document. `cda.parse` is handed in: a module of this folder cannot import another one.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

MAX_DOSES = 500
"""Vaccinations of one document; more are left out."""
MAX_CODES = 10
MAX_TEXT = 200
SECTION = "11369-6"
"""The LOINC code of the section of immunizations."""
DOSE_NUMBER = "30973-2"
"""The LOINC code of the number of a dose (IHE PCC, immunization)."""
H = "{urn:hl7-org:v3}"
_LOINC = "2.16.840.1.113883.6.1"
_ABSENT = "2.16.840.1.113883.5.1150.1"
"""The code system of statements that nothing is known, or that there was none (IPS, absent or unknown data)."""
_TIME = re.compile(r"(\d{4})(?:(\d\d)(?:(\d\d)\d*(?:\.\d+)?(?:[+-]\d{4}|Z)?)?)?")


def immunizations(data: bytes, parse: Callable[[bytes], Any]) -> list[dict[str, Any]]:
    """Return the vaccinations of a document: their codes as (OID, code), and what else is said of each.

    Only what was done (mood EVN, status completed) or was not given (`negated`); `date` is a FHIR date, "" unknown.
    Source: IHE PCC TF-2, 6.3.4.17 (immunizations entry), as eHDSI patient summaries use it.
    """
    found: list[dict[str, Any]] = []
    for section in parse(data).iter(f"{H}section"):
        code = section.find(f"{H}code")
        if code is not None and code.get("code") == SECTION and code.get("codeSystem") == _LOINC:
            for entry in section.iterfind(f"{H}entry/{H}substanceAdministration"):
                if len(found) < MAX_DOSES and (dose := _dose(entry)) is not None:
                    found.append(dose)
    return found


def _dose(entry: Any) -> dict[str, Any] | None:
    status, material = entry.find(f"{H}statusCode"), entry.find(f"{H}consumable/{H}manufacturedProduct")
    done = status is None or status.get("code", "completed") == "completed"
    if entry.get("moodCode") != "EVN" or not done or entry.get("nullFlavor") or material is None:
        return None
    product = material.find(f"{H}manufacturedMaterial")
    if product is None:
        return None
    codes = [*_codes(product.find(f"{H}code"))]
    name = _text(product.find(f"{H}name")) or _display(product.find(f"{H}code"))
    if (not codes and not name) or any(system == _ABSENT for system, _ in codes):
        return None
    return {
        "identifiers": [*_identifiers(entry)],
        "negated": entry.get("negationInd") == "true",
        "codes": codes,
        "name": name,
        "date": _date(entry.find(f"{H}effectiveTime")),
        "lot": _text(product.find(f"{H}lotNumberText")),
        "manufacturer": _text(material.find(f"{H}manufacturerOrganization/{H}name")),
        "number": _number(entry),
        "performer": _text(entry.find(f"{H}performer/{H}assignedEntity/{H}assignedPerson/{H}name")),
        "place": _text(entry.find(f"{H}performer/{H}assignedEntity/{H}representedOrganization/{H}name")),
    }


def _codes(code: Any) -> Iterator[tuple[str, str]]:
    """Yield a code and its translations, each with the OID of its system."""
    if code is not None:
        for each in (code, *code.findall(f"{H}translation")[: MAX_CODES - 1]):
            system, value = each.get("codeSystem", ""), each.get("code", "")
            if re.fullmatch(r"[0-9.]{3,100}", system) and re.fullmatch(r"\S{1,100}", value):
                yield system, value


def _display(code: Any) -> str:
    return "" if code is None else " ".join(code.get("displayName", "").split())[:MAX_TEXT]


def _identifiers(entry: Any) -> Iterator[tuple[str, str]]:
    """Yield the root and extension of each identifier."""
    for each in entry.findall(f"{H}id")[:MAX_CODES]:
        root, extension = each.get("root", ""), each.get("extension", "")
        if re.fullmatch(r"[0-9A-Za-z.-]{1,100}", root) and len(extension) <= MAX_TEXT:
            yield root, " ".join(extension.split())


def _date(time: Any) -> str:
    """Return the day of a TS or the beginning of an IVL_TS as a FHIR date of its precision."""
    if time is None:
        return ""
    low = time.find(f"{H}low")
    value = time.get("value") or (low.get("value", "") if low is not None else "")
    found = _TIME.fullmatch(value)
    return "-".join(part for part in found.groups() if part) if found else ""


def _number(entry: Any) -> int:
    """Return the number of the dose, 0 where none is said."""
    for observation in entry.iterfind(f"{H}entryRelationship/{H}observation"):
        code, value = observation.find(f"{H}code"), observation.find(f"{H}value")
        if code is not None and code.get("code") == DOSE_NUMBER and value is not None:
            text = value.get("value", "")
            return int(text) if re.fullmatch(r"[0-9]{1,3}", text) else 0
    return 0


def _text(element: Any) -> str:
    return "" if element is None else " ".join(" ".join(element.itertext()).split())[:MAX_TEXT]
