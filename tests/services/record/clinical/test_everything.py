"""The operation Patient/$everything."""

import orjson

from tests.support.clinical_requests import (
    create,
    deposit,
    search,
)
from tests.support.clinical_resources import (
    laboratory_report,
    observation,
)


async def test_everything_is_filtered_and_paged(world):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        for day in ("2020-05-01", "2022-05-01", "2024-05-01"):
            await create(client, observation(person, effectiveDateTime=day))
        await create(
            client,
            orjson.dumps(
                {
                    "resourceType": "Flag",
                    "status": "active",
                    "code": {"text": "falls"},
                    "subject": {"reference": f"Patient/{person.id}"},
                }
            ),
            "Flag",
        )
        document = await deposit(client, person, laboratory_report(person))
        path = f"Patient/{person.id}/$everything"
        days = [
            one["effectiveDateTime"] for one in await search(client, f"{path}?_type=Observation&start=2022&end=2023")
        ]
        assert days == ["2022-05-01"]
        of_time = await search(client, f"{path}?start=2022-05-02")
        assert {one["resourceType"] for one in of_time} >= {"Patient", "Observation", "Flag"}
        assert await search(client, f"{path}?_type=Observation&_since=2999-01-01T00:00:00Z") == []
        shown, url = [], f"/fhir/{path}?_count=1"
        while url:
            page = (await client.get(url)).json()
            shown += [(one["resource"]["resourceType"], one["resource"]["id"]) for one in page.get("entry", ())]
            url = {link["relation"]: link["url"] for link in page["link"]}.get("next")
        assert len(shown) == len(set(shown)) == 1 + 3 + 1 + 3 + 1
        assert shown[0] == ("Patient", str(person.id))
        assert shown[-1] == ("DocumentReference", document)
        for wrong in ("_count=x", "start=gt2020", "start=never", "_since=x", "_cursor=x"):
            assert (await client.get(f"/fhir/{path}?{wrong}")).status_code == 400
        assert (await client.get("/fhir/Patient/nobody/$everything")).status_code == 404
