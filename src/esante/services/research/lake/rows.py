"""The rows of an extraction: views over the resources of persons, with their pseudonyms."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from esante.core.fhir import NotJson, decode
from esante.core.types import Json
from esante.identity.directory import Directory, Person, canton_of, patient_resource
from esante.services.research.datasets.model import PERSON, DatasetTable
from esante.services.research.lake.pseudonyms import Pseudonyms
from esante.services.research.views.model import ViewFault

PATIENT = "Patient"
TableRows = dict[str, list[dict[str, Any]]]


def rows_of(
    tables: Sequence[DatasetTable],
    covered: Mapping[str, frozenset[str]],
    resources: Iterable[tuple[UUID, str, bytes]],
    pseudonyms: Pseudonyms,
) -> TableRows:
    """Return the rows of tables over resources (person, type, body): the columns covered, and the pseudonym.

    A resource that fails under a view gives no rows of it: one odd resource must not end the extraction of a country.
    """
    by_type: dict[str, list[DatasetTable]] = {}
    for table in tables:
        by_type.setdefault(table.resource, []).append(table)
    found: TableRows = {table.name: [] for table in tables}
    for person_id, type_, body in resources:
        if not (wanted := by_type.get(type_)):
            continue
        try:
            resource = decode(body)
        except NotJson:
            continue
        name = pseudonyms.of(person_id)
        for table in wanted:
            found[table.name] += _rows(table, covered[table.name], resource, name)
    return found


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


def _rows(table: DatasetTable, covered: frozenset[str], resource: Json, person: str) -> list[dict[str, Any]]:
    try:
        rows = table.view.rows(resource)
    except ViewFault:
        return []
    return [{PERSON: person} | {name: value for name, value in row.items() if name in covered} for row in rows]
