"""Parameters of every interaction: obeyed, or refused, or named as ignored, but never passed over in silence."""

import orjson
import pytest

from tests.support.clinical_requests import PATCH, create, post_bundle, search_bundle
from tests.support.clinical_resources import bundle_entry, identified, observation
from tests.support.record import FHIR, transaction

LENIENT, STRICT = {"Prefer": "return=minimal, handling=lenient"}, {"Prefer": 'Handling="strict"'}


@pytest.fixture(scope="module")
async def person(world):
    """A person with an Observation and two documents."""
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        await create(client, observation(person, **identified("P1"), note=[{"text": "x"}]))
        type_ = {"type": {"coding": [{"system": "http://loinc.org", "code": "51852-2"}]}}
        letters = [(type_, f"Letter {number}".encode(), "text/plain") for number in range(2)]
        answer = await client.post("/fhir", content=transaction(person, *letters), headers=FHIR)
        assert answer.status_code == 200, answer.text
    return person


@pytest.fixture
async def client(world):
    async with world.client(world.people["hospital"]) as client:
        yield client


@pytest.fixture
async def paths(client, person):
    """The path of a resource of each kind."""
    found = {"Patient": f"Patient/{person.id}"}
    for type_ in ("Observation", "DocumentReference", "List"):
        first = (await search_bundle(client, f"{type_}?patient={person.id}"))["entry"][0]["resource"]
        found[type_] = f"{type_}/{first['id']}"
    found["Provenance"] = found["Observation"].replace("Observation", "Provenance")
    found["version"] = f"{found['Observation']}/_history/1"
    return found


KINDS = ["Observation", "version", "Provenance", "DocumentReference", "List"]


def is_tagged(resource) -> bool:
    return any(tag.get("code") == "SUBSETTED" for tag in resource.get("meta", {}).get("tag", ()))


@pytest.mark.parametrize("kind", KINDS)
async def test_part_of_a_resource_is_read_and_tagged(client, paths, kind):
    url = f"/fhir/{paths[kind]}"
    whole = (await client.get(url)).json()
    assert not is_tagged(whole)
    for query in ("_summary=true", "_summary=text", "_summary=data", "_elements=id"):
        part = (await client.get(f"{url}?{query}")).json()
        assert (part["resourceType"], part.get("id")) == (whole["resourceType"], whole.get("id"))
        assert is_tagged(part), query
        assert part.keys() <= whole.keys() | {"meta"}
    assert (await client.get(f"{url}?_summary=false")).json() == whole


@pytest.mark.parametrize("kind", KINDS)
async def test_parameter_that_a_read_does_not_obey_is_refused_unless_lenient(client, paths, kind):
    url = f"/fhir/{paths[kind]}"
    for query in ("nonsense=1", "_count=1", "_summary=count", "_summary=nonsense", "_elements=nonsense"):
        for headers in ({}, STRICT):
            assert (await client.get(f"{url}?{query}", headers=headers)).status_code == 400, query
    assert (await client.get(f"{url}?nonsense=1", headers=LENIENT)).status_code == 200
    assert (await client.get(f"{url}?_format=json&_pretty=true")).status_code == 200


async def test_history_shows_parts_and_refuses_what_it_does_not_obey(client, paths):
    url = f"/fhir/{paths['Observation']}/_history"
    entry = (await client.get(f"{url}?_elements=status")).json()["entry"][0]["resource"]
    assert is_tagged(entry)
    assert "note" not in entry
    assert (await client.get(f"{url}?_at=2026")).status_code == 400
    assert (await client.get(f"{url}?_at=2026", headers=LENIENT)).status_code == 200


async def test_write_with_parameters_is_refused_and_changes_nothing(client, person, paths):
    body = observation(person)
    url = f"/fhir/{paths['Observation']}"
    before = (await client.get(url)).json()
    answers = [
        await client.post("/fhir/Observation?identifier=urn:lab|P1", content=body, headers=FHIR),
        await client.put(f"{url}?identifier=urn:lab|P9", content=orjson.dumps(before), headers=FHIR),
        await client.patch(f"{url}?identifier=urn:lab|P9", content=b"[]", headers=PATCH),
        await client.delete(f"{url}?identifier=urn:lab|P9"),
        await client.post("/fhir?nonsense=1", content=body, headers=FHIR),
        await client.post("/fhir/DocumentReference?nonsense=1", content=body, headers=FHIR),
    ]
    assert [answer.status_code for answer in answers] == [400] * len(answers)
    entry = bundle_entry("POST", "Observation?identifier=urn:lab|P9", orjson.loads(body))
    assert (await post_bundle(client, entry)).status_code == 422
    assert (await client.get(url)).json() == before


@pytest.mark.parametrize("type_", ["DocumentReference", "List", "Observation"])
async def test_count_is_the_number_of_matches_without_entries(client, person, type_):
    whole = await search_bundle(client, f"{type_}?patient={person.id}")
    for query in ("_summary=count", "_count=0", "_summary=count&_count=1"):
        found = await search_bundle(client, f"{type_}?patient={person.id}&{query}")
        assert (found["total"], found.get("entry")) == (len(whole["entry"]), None), query
        assert "next" not in [link["relation"] for link in found["link"]]


async def test_count_obeys_the_conditions(client, person):
    found = await search_bundle(client, f"DocumentReference?patient={person.id}&contenttype=image/png&_summary=count")
    assert found["total"] == 0


@pytest.mark.parametrize("type_", ["DocumentReference", "List"])
async def test_search_of_documents_shows_parts(client, person, type_):
    for query in ("_summary=true", "_elements=status"):
        found = await search_bundle(client, f"{type_}?patient={person.id}&{query}&_count=1")
        assert all(is_tagged(one["resource"]) for one in found["entry"])
        assert query in next(link["url"] for link in found["link"] if link["relation"] == "self")


@pytest.mark.parametrize(
    "path", ["DocumentReference", "List", "Observation", "Provenance?target={0}", "Patient/{1}/$everything"]
)
async def test_search_names_what_it_ignored_and_refuses_it_if_strict(client, person, paths, path):  # fmt: skip
    path = path.format(paths["Observation"], person.id)
    url = f"{path}{'&' if '?' in path else '?'}nonsense=1" + ("" if "$" in path else f"&patient={person.id}")
    outcome = (await search_bundle(client, url))["entry"][-1]["resource"]
    assert (outcome["resourceType"], "nonsense" in outcome["issue"][0]["diagnostics"]) == ("OperationOutcome", True)
    assert (await client.get(f"/fhir/{url}", headers=STRICT)).status_code == 400


async def test_parameter_without_value_is_named_as_ignored(client, person):
    for path in ("DocumentReference?type=", "Observation?code=", "Observation?code:not=,"):
        found = await search_bundle(client, f"{path}&patient={person.id}")
        assert "ignored" in found["entry"][-1]["resource"]["issue"][0]["diagnostics"]
        assert len(found["entry"]) > 1
        assert (await client.get(f"/fhir/{path}&patient={person.id}", headers=STRICT)).status_code == 400


async def test_docref_names_what_it_ignored(client, person):
    found = await search_bundle(client, f"DocumentReference/$docref?patient={person.id}&on-demand=true")
    assert "on-demand" in found["entry"][-1]["resource"]["issue"][0]["diagnostics"]
    assert "OperationOutcome" not in str(
        await search_bundle(client, f"DocumentReference/$docref?patient={person.id}&on-demand=false")
    )
