"""What a FHIR Patient says of the patient."""

from collections.abc import Mapping
from typing import Any

import msgspec

from esante.services.record.identification.model import Demographics, PersonName


class _Identifier(msgspec.Struct):
    system: str = ""
    value: str = ""


class _Name(msgspec.Struct):
    family: str = ""
    given: list[str | None] = []
    text: str = ""


class _Patient(msgspec.Struct):
    identifier: list[_Identifier] = []
    name: list[_Name] = []
    birthDate: str = ""
    gender: str = ""


def patient_demographics(patient: Mapping[str, Any]) -> Demographics:
    """Return what a Patient says; nothing when it is not valid R4, which is refused elsewhere."""
    try:
        said = msgspec.convert(patient, _Patient)
    except msgspec.ValidationError:
        return Demographics()
    names = (
        PersonName(family=name.family, given=tuple(part for part in name.given if part), text=name.text)
        for name in said.name
    )
    return Demographics(
        identifiers=tuple((one.system, one.value) for one in said.identifier if one.system and one.value),
        names=tuple(name for name in names if name.whole),
        birth_date=said.birthDate,
        sex=said.gender,
    )
