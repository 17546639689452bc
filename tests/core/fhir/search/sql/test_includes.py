"""Included resources."""

import uuid

from esante.core.fhir.search import SearchScope, execute_query, parse_query
from esante.core.storage import insert
from tests.core.fhir.samples import observation
from tests.support.search_records import NOW, new_row


async def test_include_all_stops_at_limit(db, monkeypatch):
    encounter = {"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"}}
    person, source = uuid.uuid4(), uuid.uuid4()
    targets = [new_row(person, encounter, source) for _ in range(12)]
    pointing = [
        new_row(
            person, {**observation(), "encounter": {"reference": f"Encounter/{person.hex}{values[2].hex}"}}, source
        )
        for _, values in targets
    ]
    async with db.transaction() as conn:
        await insert(conn, [*targets, *pointing])
    page = await execute_query(db, parse_query("Observation", [("_include", "*")]), SearchScope(person, NOW))
    assert ({r.id for r in page.included}, page.external_references, page.truncated) == (
        {v[2] for _, v in targets},
        ("Patient/p1",),
        False,
    )
    monkeypatch.setattr("esante.core.fhir.search.sql.includes.MAX_INCLUDED", 5)
    page = await execute_query(db, parse_query("Observation", [("_include", "*")]), SearchScope(person, NOW))
    assert (len(page.included), page.truncated) == (5, True)
