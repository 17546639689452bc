"""Content that R4 defines as profiles: that of its own extensions, and that of vital signs.

Source: FHIR R4, Extensibility (section 2.4); Vital Signs Profile: an Observation of a concept in its table SHALL
conform to the profile of that concept. One that is of another category, as the oxygen saturation of a blood gas
analysis, is no vital sign.
"""

from collections.abc import Iterator

from esante.core.fhir.profiles import ElementValue, ProfiledValue, part_names
from esante.core.fhir.validation.elements.places import Place
from esante.core.types import Json

_STRUCTURE = "http://hl7.org/fhir/StructureDefinition/"
_LOINC = "http://loinc.org"
_CATEGORIES = "http://terminology.hl7.org/CodeSystem/observation-category"
#: The table of R4's Vital Signs Profile: codes of LOINC, and the names of the profiles.
VITAL_SIGNS = {
    "85353-1": "vitalspanel",
    "9279-1": "resprate",
    "8867-4": "heartrate",
    "2708-6": "oxygensat",
    "8310-5": "bodytemp",
    "8302-2": "bodyheight",
    "9843-4": "headcircum",
    "29463-7": "bodyweight",
    "39156-5": "bmi",
    "85354-9": "bp",
}


def profiled_values(place: Place) -> Iterator[ProfiledValue]:
    """Yield the object itself with each profile that it has to fit by R4, mostly none."""
    value = ElementValue(place.value, place.type, place.path)
    if place.type == "Extension" and part_names(str(place.value.get("url"))) is not None:
        yield ProfiledValue(place.value["url"], value, place.resource)
    if place.type == "Observation" and not _has_other_category(place.value):
        codings = place.value.get("code", {}).get("coding", ())
        codes = {coding.get("code") for coding in codings if coding.get("system") == _LOINC}
        for code in sorted(codes & VITAL_SIGNS.keys()):
            yield ProfiledValue(f"{_STRUCTURE}{VITAL_SIGNS[code]}", value, place.resource)


def _has_other_category(observation: Json) -> bool:
    codings = [coding for each in observation.get("category", ()) for coding in each.get("coding", ())]
    codes = {coding.get("code") for coding in codings if coding.get("system") == _CATEGORIES}
    return bool(codes) and "vital-signs" not in codes
