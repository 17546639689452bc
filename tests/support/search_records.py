"""Resources stored for the tests of searches."""

import uuid
from datetime import UTC, datetime

from esante.core.fhir import decode, encode
from esante.core.fhir.search import SearchScope, execute_query, index_json, parse_query
from esante.core.fhir.store import RESOURCE
from esante.core.storage import insert
from tests.core.fhir.samples import observation
from tests.support.search_population import END_OF_TIME, amount, concept

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SINCE = datetime(2026, 3, 2, 10, 30, 15, 123456, tzinfo=UTC)


def new_row(person, resource, source=None, since=SINCE):
    """Return the row of a resource of a person, for `insert`."""
    body = encode(resource)
    key, type_ = uuid.uuid4(), resource["resourceType"]
    values = (person, type_, key, source or uuid.uuid4(), 1, since, END_OF_TIME, False, body, index_json(decode(body)))
    return RESOURCE, values


async def store_resources(db, *resources, since=SINCE):
    """Store resources of a new person, and return the scope of all of them."""
    person = uuid.uuid4()
    async with db.transaction() as conn:
        await insert(conn, [new_row(person, each, since=since) for each in resources])
    return SearchScope(person, NOW)


async def count_matches(db, scope, type_, *pairs):
    """Return the total of a search."""
    return (await execute_query(db, parse_query(type_, pairs, strict=True), scope)).total


OBSERVATION = {
    **observation(),
    "meta": {"profile": ["http://a.example/p/one|2.0"], "tag": [{"system": "urn:t", "code": "Tag"}]},
    "identifier": [{"system": "urn:i", "value": "X-1", "type": concept(("urn:ty", "MR", None), text="Record number")}],
    "valueQuantity": amount("1.5", "g"),
    "note": [{"text": "x"}],
}
