"""The persons of an extraction as resources, with what views may see of them."""

from collections.abc import Sequence
from uuid import UUID

import orjson

from esante.core.types import Json
from esante.identity.directory import Directory, Person, canton_of, patient_resource

PATIENT = "Patient"


async def patients_of(directory: Directory, persons: Sequence[UUID]) -> list[tuple[UUID, str, bytes]]:
    """Return persons as resources Patient, each with its canton as the district of its address."""
    known = await directory.persons(persons)
    return [(one, PATIENT, orjson.dumps(_patient(directory, known[one]))) for one in persons if one in known]


def _patient(directory: Directory, person: Person) -> Json:
    """Return what of a person the views may see: no name, no identifier, no street."""
    whole = patient_resource(person, directory.catalogue)
    kept = {name: whole[name] for name in ("resourceType", "gender", "birthDate", "deceasedDateTime") if name in whole}
    canton = canton_of(person.address)
    return kept | ({"address": [{"district": canton}]} if canton else {})
