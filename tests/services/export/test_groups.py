"""Groups of persons in care."""

from esante.core.fhir import check
from esante.core.storage import NIL, uuid7
from esante.identity.access import PatientsListed
from tests.support.export import ASYNC, fetch_all_pages, ids


async def test_groups_list_persons_in_care_of_requester_and_organisation(platform):
    surgeon = platform.people["surgeon"]
    own = await platform.add_patient(surgeon)
    hospital = await platform.add_patient(platform.people["hospital"])
    async with platform.client(surgeon) as http:
        found = {one["id"]: one for one in await fetch_all_pages(http, "Group")}
        assert set(found) == {str(surgeon.id), str(surgeon.organization_id)}
        for group, member in ((surgeon.id, own), (surgeon.organization_id, hospital)):
            read = await http.get(f"/fhir/Group/{group}")
            assert check(read.content).ok
            assert read.json() == found[str(group)]
            members = [one["entity"]["reference"] for one in read.json()["member"]]
            assert f"Patient/{member.id}" in members
            assert len(members) == read.json()["quantity"]
            exported = ids(
                await platform.fetch_lines(http, await platform.run_export(http, f"Group/{group}/$export")), "Patient"
            )
            assert {f"Patient/{id_}" for id_ in exported} == set(members)
        entries = await platform.world.journal.entries_of(NIL, [PatientsListed], limit=50)
        assert [one.event.count for one in entries if one.actor.id == surgeon.id][:1] == [len(members)]
        [one] = await fetch_all_pages(http, f"Group?managing-entity=Organization/{surgeon.organization_id}")
        assert one["id"] == str(surgeon.organization_id)
        assert await fetch_all_pages(http, f"Group?_id={uuid7()}") == []
        for path in (f"Group/{uuid7()}", f"Group/{platform.people['laboratory'].id}"):
            assert (await http.get(f"/fhir/{path}")).status_code == 404
            assert (await http.get(f"/fhir/{path}/$export", headers=ASYNC)).status_code == 404
