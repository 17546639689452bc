"""Patient/$match over HTTP (IHE PDQm, ITI-119)."""

from datetime import date

import pytest
from starlette.applications import Starlette

from esante.core.fhir import check
from esante.core.storage import NIL, uuid7
from esante.core.web import HANDLERS
from esante.identity.directory import Address, Identifier, PersonSearched
from esante.identity.directory.matching.match_api import GRADE, WEIGHT, match_routes
from esante.identity.directory.matching.service import Matching
from tests.identity.directory.test_api import BASE, World
from tests.support.directory_entries import MATRICULE, MRN, a_person

FHIR = {"content-type": "application/fhir+json"}


class MatchWorld(World):
    def __init__(self, directory, db, journal):
        super().__init__(directory)
        matching = Matching(db, journal, directory)
        routes = match_routes(matching, directory.catalogue, self.authorize, BASE)
        self.app = Starlette(routes=routes, exception_handlers=HANDLERS)

    async def match(self, patient, caller="hospital", **parameters):
        answer = await self.post(a_question(patient, **parameters), caller)
        assert answer.status_code == 200, answer.text
        bundle = answer.json()
        assert check(answer.content, expect="Bundle").ok
        assert bundle["total"] == len(bundle.get("entry", []))
        return bundle.get("entry", [])

    async def post(self, body, caller="hospital"):
        return await self.ask("Patient/$match", caller, "POST", json=body, headers=FHIR)


def a_question(patient, **parameters):
    values = {
        "onlyCertainMatches": lambda value: {"valueBoolean": value},
        "count": lambda value: {"valueInteger": value},
    }
    more = [{"name": name, **values[name](value)} for name, value in parameters.items()]
    return {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": patient}, *more]}


def a_patient(person, *left_out, **changes):
    patient = {
        "resourceType": "Patient",
        "identifier": [{"system": one.system, "value": one.value} for one in person.identifiers],
        "name": [{"family": person.family, "given": list(person.given)}],
        "birthDate": person.birth_date.isoformat(),
        "gender": person.sex,
        "address": [{"line": [person.address.line], "postalCode": person.address.postal_code}],
        **changes,
    }
    return {name: value for name, value in patient.items() if name not in left_out}


def grades(entries):
    return [next(one["valueCode"] for one in entry["search"]["extension"] if one["url"] == GRADE) for entry in entries]


def ids(entries):
    return [entry["resource"]["id"] for entry in entries]


@pytest.fixture(scope="module")
async def world(directory, db, journal):
    world = MatchWorld(directory, db, journal)
    world.anna = await directory.register_person(
        a_person(family="Thill", given=("Anna", "Maria"), birth_date=date(1971, 3, 4))
    )
    world.twin = await directory.register_person(
        a_person(family="Thill", given=("Anne",), birth_date=date(1971, 3, 4))
    )
    world.namesake = await directory.register_person(
        a_person(
            family="Thill",
            given=("Anna", "Maria"),
            birth_date=date(1971, 4, 3),
            address=Address("9, Grand-rue", "9999", "Wiltz"),
        )
    )
    world.stranger = await directory.register_person(a_person(family="Reding", birth_date=date(1999, 9, 9)))
    world.add_caller("anna", "patient", world.anna.id)
    return world


async def test_whole_entry_with_its_matricule_is_the_only_certain_match(world):
    entries = await world.match(a_patient(world.anna))
    assert ids(entries)[0] == str(world.anna.id)
    assert grades(entries)[0] == "certain"
    assert set(grades(entries)[1:]) <= {"probable", "possible"}
    assert entries[0]["search"]["score"] > 0.999999
    assert entries[0]["search"]["mode"] == "match"


async def test_matches_are_explained_by_the_weight_of_each_stated_trait(world):
    entries = await world.match(a_patient(world.anna, "identifier"))
    twin = next(entry for entry in entries if entry["resource"]["id"] == str(world.twin.id))
    weights = {}
    for extension in twin["search"]["extension"]:
        if extension["url"] == WEIGHT:
            parts = {part["url"]: part for part in extension["extension"]}
            weights[parts["trait"]["valueCode"]] = (parts["level"]["valueCode"], parts["bits"]["valueDecimal"])
    assert weights["family"][0] == "same"
    assert weights["given"][0] == "similar"
    assert set(weights) == {"family", "given", "birth-date", "sex", "address"}


async def test_only_certain_matches_gives_one_entry_or_none(world):
    assert ids(await world.match(a_patient(world.anna), onlyCertainMatches=True)) == [str(world.anna.id)]
    doubtful = a_patient(world.anna, "identifier", "address")
    assert await world.match(doubtful) != []
    assert await world.match(doubtful, onlyCertainMatches=True) == []


async def test_swapped_day_and_month_still_finds_the_entry_as_less_than_certain(world):
    entries = await world.match(a_patient(world.twin, "identifier", birthDate="1971-04-03"))
    assert str(world.twin.id) in ids(entries)
    assert "certain" not in grades(entries)


async def test_count_limits_the_matches(world):
    assert len(await world.match(a_patient(world.anna, "identifier"), count=1)) == 1
    assert len(await world.match(a_patient(world.anna, "identifier"))) > 1


async def test_patient_alone_without_parameters_is_accepted(world):
    answer = await world.post(a_patient(world.anna))
    assert ids(answer.json()["entry"])[0] == str(world.anna.id)


async def test_patient_sees_themselves_only_and_the_answer_does_not_tell_of_others(world):
    alone = await world.match(a_patient(world.anna), caller="anna")
    assert ids(alone) == [str(world.anna.id)]
    assert ids(await world.match(a_patient(world.twin), caller="anna")) == [str(world.anna.id)]
    unknown = a_patient(a_person(family="Nemo", birth_date=date(1933, 1, 2)))
    absent = await world.post(a_question(unknown), "anna")
    refused = await world.post(a_question(a_patient(world.stranger)), "anna")
    assert absent.json()["total"] == 0
    assert absent.content == refused.content


async def test_match_is_journalled_for_each_entry_shown_or_for_nobody(world, journal):
    async def searches(person_id):
        found = await journal.entries_of(person_id, [PersonSearched])
        return [entry.event for entry in found if "match" in entry.event.by]

    before, nobody = len(await searches(world.twin.id)), len(await searches(NIL))
    entries = await world.match(a_patient(world.twin, "identifier", "address"))
    after = await searches(world.twin.id)
    assert len(after) == before + 1
    assert after[0].found == len(entries)
    assert after[0].by == ("match", "birth_date", "family", "given", "sex")
    await world.match(a_patient(a_person(family="Nobody", birth_date=date(1901, 2, 3))))
    assert len(await searches(NIL)) == nobody + 1


async def test_identifier_alone_finds_its_holder_but_is_not_certain(world):
    question = {"resourceType": "Patient", "identifier": [{"system": MRN, "value": world.anna.identifiers[0].value}]}
    number = next(one for one in world.anna.identifiers if one.system == MATRICULE)
    question["identifier"] = [{"system": MATRICULE, "value": number.value}]
    entries = await world.match(question)
    assert ids(entries) == [str(world.anna.id)]
    assert grades(entries) == ["possible"]
    assert await world.match(question, onlyCertainMatches=True) == []


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"resourceType": "Patient", "name": [{"family": "Thill"}]}, 400, "enough information"),
        ({"resourceType": "Patient", "birthDate": "1971-03-04"}, 400, "enough information"),
        ({"resourceType": "Patient", "name": [{"family": "Thill"}], "birthDate": "1971"}, 400, "enough information"),
        ({"resourceType": "Observation", "status": "final", "code": {"text": "x"}}, 400, "needs a Patient"),
        ({"resourceType": "Parameters"}, 400, "needs a Patient"),
        (a_question({"resourceType": "Patient"}, count=0), 400, "at least 1"),
        (
            {"resourceType": "Parameters", "parameter": [{"name": "resource", "valueString": "x"}]},
            400,
            "needs a Patient",
        ),
        (
            {"resourceType": "Parameters", "parameter": [{"name": "other", "valueString": "x"}]},
            400,
            "not supported",
        ),
        (
            {
                "resourceType": "Parameters",
                "parameter": [
                    {"name": "resource", "resource": {"resourceType": "Patient"}},
                    {"name": "onlyCertainMatches", "valueString": "yes"},
                ],
            },
            400,
            "true or false",
        ),
        ({"resourceType": "Patient", "identifier": [{"system": MATRICULE, "value": "12"}]}, 400, "format"),
        ({"resourceType": "Patient", "name": {"family": "Thill"}}, 422, ""),
        ({"resourceType": "Patient", "name": [{"family": "x" * 300}], "birthDate": "1971-03-04"}, 400, "too long"),
        ([], 422, ""),
    ],
)
async def test_wrong_question_is_refused_with_its_place_and_nothing_is_journalled(world, body, status, words, journal):
    before = len(await journal.entries_of(NIL, [PersonSearched], limit=500))
    answer = await world.post(body)
    assert answer.status_code == status, answer.text
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    assert words in answer.text
    assert len(await journal.entries_of(NIL, [PersonSearched], limit=500)) == before


async def test_token_without_search_of_patients_is_refused(world):
    world.add_caller("reader", "organization", uuid7(), scopes={"Patient.r"})
    answer = await world.post(a_question(a_patient(world.anna)), "reader")
    assert answer.status_code == 403


async def test_local_number_that_is_shared_makes_a_match_certain(world, directory):
    person = await directory.register_person(
        a_person(family="Kirpach", identifiers=(Identifier(MRN, "local-77"),), birth_date=date(1960, 7, 8))
    )
    entries = await world.match(a_patient(person, "address", "gender"), onlyCertainMatches=True)
    assert ids(entries) == [str(person.id)]
