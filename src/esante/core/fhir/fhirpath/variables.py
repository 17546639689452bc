"""The environment variables with constant values (FHIR R4, section FHIRPath, Variables)."""

_FIXED = {
    "ucum": "http://unitsofmeasure.org",
    "sct": "http://snomed.info/sct",
    "loinc": "http://loinc.org",
}


def constant_value(name: str) -> str | None:
    """Return the value of `%ucum`, `%sct`, `%loinc`, `%vs-[name]` or `%ext-[name]`; None for any other name."""
    if name.startswith("vs-"):
        return f"http://hl7.org/fhir/ValueSet/{name.removeprefix('vs-')}"
    if name.startswith("ext-"):
        return f"http://hl7.org/fhir/StructureDefinition/{name.removeprefix('ext-')}"
    return _FIXED.get(name)
