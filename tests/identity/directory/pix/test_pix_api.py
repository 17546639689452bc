"""Patient/$ihe-pix over HTTP (IHE PIXm, ITI-83)."""

import pytest
from starlette.applications import Starlette

from esante.core.fhir import check
from esante.core.storage import uuid7
from esante.core.web import HANDLERS
from esante.identity.directory import Identifier, PersonSearched
from esante.identity.directory.merging.service import Merging
from esante.identity.directory.pix.pix_api import pix_routes
from tests.identity.directory.merging.test_service import ONE, TWO
from tests.identity.directory.test_api import World
from tests.support.directory_entries import MATRICULE, MRN, a_person

FHIR = {"content-type": "application/fhir+json"}
LABORATORY = "urn:oid:1.2.3.4.5"


class PixWorld(World):
    def __init__(self, directory, db):
        super().__init__(directory)
        self.app = Starlette(routes=pix_routes(db, directory, self.authorize), exception_handlers=HANDLERS)

    async def cross(self, identifier, *targets, caller="hospital"):
        """Return the answer to a question by GET, after the same by POST gave the same."""
        token = f"{identifier.system}|{identifier.value}"
        query = [("sourceIdentifier", token), *(("targetSystem", target) for target in targets)]
        answer = await self.ask("Patient/$ihe-pix", caller, params=query)
        source = {"system": identifier.system, "value": identifier.value}
        parameters = [{"name": "sourceIdentifier", "valueIdentifier": source}]
        parameters += [{"name": "targetSystem", "valueUri": target} for target in targets]
        body = {"resourceType": "Parameters", "parameter": parameters}
        posted = await self.ask("Patient/$ihe-pix", caller, "POST", json=body, headers=FHIR)
        assert (posted.status_code, posted.content) == (answer.status_code, answer.content)
        assert check(answer.content).ok
        return answer


def identifiers_of(answer):
    assert answer.status_code == 200, answer.text
    return {
        (one["valueIdentifier"]["system"], one["valueIdentifier"]["value"])
        for one in answer.json()["parameter"]
        if one["name"] == "targetIdentifier"
    }


def reference_of(answer):
    [found] = [one for one in answer.json()["parameter"] if one["name"] == "targetId"]
    return found["valueReference"]["reference"]


@pytest.fixture(scope="module")
async def world(directory, db):
    world = PixWorld(directory, db)
    world.person = await directory.register_person(a_person(family="Pix"))
    world.add_caller("self", "patient", world.person.id)
    return world


def number_of(person, system):
    return next(one for one in person.identifiers if one.system == system)


async def test_other_identifiers_and_the_resource_are_answered(world):
    matricule, local = number_of(world.person, MATRICULE), number_of(world.person, MRN)
    answer = await world.cross(local)
    assert identifiers_of(answer) == {(MATRICULE, matricule.value)}
    assert reference_of(answer) == f"Patient/{world.person.id}"
    assert identifiers_of(await world.cross(local, MATRICULE)) == {(MATRICULE, matricule.value)}
    assert identifiers_of(await world.cross(local, MRN)) == set()


async def test_merged_entries_are_cross_referenced_and_no_longer_after_the_end(world, directory, db, journal):
    merging = Merging(db, journal, directory)
    number = Identifier(LABORATORY, uuid7().hex)
    losing = await directory.register_person(a_person(family="Pix", identifiers=(number,)))
    local = number_of(world.person, MRN)
    assert (LABORATORY, number.value) not in identifiers_of(await world.cross(local))
    merge = await merging.propose(ONE, losing.id, world.person.id, "Same person")
    await merging.confirm(TWO, merge.id)
    assert (LABORATORY, number.value) in identifiers_of(await world.cross(local))
    answer = await world.cross(number, MATRICULE)
    assert identifiers_of(answer) == {(MATRICULE, number_of(world.person, MATRICULE).value)}
    assert reference_of(answer) == f"Patient/{world.person.id}"
    await merging.undo(TWO, merge.id, "Two people")
    assert (LABORATORY, number.value) not in identifiers_of(await world.cross(local))
    assert reference_of(await world.cross(number)) == f"Patient/{losing.id}"


async def test_unknown_and_refused_persons_are_answered_alike(world, directory):
    other = await directory.register_person(a_person(family="Other"))
    refused = await world.cross(number_of(other, MRN), caller="self")
    absent = await world.cross(Identifier(MRN, "nobody-has-this"), caller="self")
    assert refused.status_code == absent.status_code == 404
    assert refused.content == absent.content
    assert identifiers_of(await world.cross(number_of(world.person, MRN), caller="self"))


async def test_unknown_target_system_is_refused_only_for_a_known_person(world):
    local = number_of(world.person, MRN)
    assert (await world.cross(local, "urn:oid:9.9.9")).status_code == 403
    assert (await world.cross(Identifier(MRN, "nobody"), "urn:oid:9.9.9")).status_code == 404


async def test_question_is_journalled_as_a_search(world, journal):
    before = len(await journal.entries_of(world.person.id, [PersonSearched], limit=500))
    await world.cross(number_of(world.person, MRN))
    assert len(await journal.entries_of(world.person.id, [PersonSearched], limit=500)) == before + 2


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"sourceIdentifier": "no-system"},
        {"sourceIdentifier": "|value"},
        {"sourceIdentifier": f"{MRN}|"},
        {"sourceIdentifier": [f"{MRN}|1", f"{MRN}|2"]},
        {"sourceIdentifier": f"{MRN}|1", "targetSystem": ""},
        {"sourceIdentifier": f"{MATRICULE}|12"},
        {"sourceIdentifier": f"{MRN}|1", "other": "x"},
    ],
)
async def test_wrong_question_is_refused_with_its_place(world, query):
    answer = await world.ask("Patient/$ihe-pix", params=query)
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["expression"] or answer.json()["issue"][0]["location"]
