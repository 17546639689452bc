"""The FHIR API of the directory over HTTP."""

from collections import namedtuple
from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

import httpx
import pytest
from starlette.applications import Starlette

from esante.core.journal import Actor
from esante.core.storage import NIL, uuid7
from esante.core.web import HANDLERS, Problem
from esante.identity.directory import PersonRead, PersonSearched, ProfessionalsRead
from esante.identity.directory.api import SEARCHES, capabilities, routes
from tests.support.directory_entries import (
    EHEALTH_ID,
    MATRICULE,
    MRN,
    PROVIDER_CODE,
    a_person,
    a_practitioner,
    a_role,
    an_organization,
)

BASE = "http://esante.test/fhir"
FORM = {"content-type": "application/x-www-form-urlencoded"}
Caller = namedtuple("Caller", "only_person_id actor origin scopes")


class World:
    """Some entries, and an application whose caller is named by the header `x-caller`."""

    def __init__(self, directory):
        self.callers = {}
        self.add_caller("hospital", "organization")
        self.app = Starlette(routes=routes(directory, self.authorize, BASE), exception_handlers=HANDLERS)

    def add_caller(self, name, kind, id_=None, scopes=None):
        id_ = id_ or uuid7()
        only = id_ if kind == "patient" else None
        self.callers[name] = Caller(only, Actor(kind=kind, id=id_, name=name), "192.0.2.7", scopes)

    async def authorize(self, request, resource, letters):
        try:
            caller = self.callers[request.headers["x-caller"]]
        except KeyError:
            raise Problem(401, "login", "You need to sign in.") from None
        if caller.scopes is not None and f"{resource}.{letters}" not in caller.scopes:
            raise Problem(403, "forbidden", "The token does not cover this.")
        return caller

    async def ask(self, path, caller="hospital", method="GET", headers=None, **more):
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            return await client.request(
                method, f"{BASE}/{path}", headers={"x-caller": caller, **(headers or {})}, **more
            )

    async def found(self, path, **params):
        """Return the resources that a search finds."""
        answer = await self.ask(path, params=params)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/fhir+json"
        bundle = answer.json()
        assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "searchset")
        matches = [entry for entry in bundle.get("entry", []) if entry["search"]["mode"] == "match"]
        for entry in matches:
            resource = entry["resource"]
            assert entry["fullUrl"] == f"{BASE}/{resource['resourceType']}/{resource['id']}"
        return [entry["resource"] for entry in matches]

    async def ids(self, path, **params):
        return [resource["id"] for resource in await self.found(path, **params)]


@pytest.fixture(scope="module")
async def world(directory):
    world = World(directory)
    world.anne = await directory.register_person(
        a_person(family="Übel-Klein", given=("Anne", "Lise"), birth_date=date(1990, 5, 17))
    )
    world.marc = await directory.register_person(
        a_person(
            family="<script>alert(1)</script>", given=("Marc",), sex="male", languages=(), birth_date=date(1950, 1, 2)
        )
    )
    world.clinic = await directory.register_organization(an_organization(name="Clinique <b>Bleue</b>"))
    world.practice = await directory.register_organization(an_organization(name="Cabinet", kind="practice"))
    world.doctor = await directory.register_practitioner(
        a_practitioner(
            family="Kieffer",
            roles=(
                a_role(world.clinic, since=date(2020, 1, 1), until=date(2021, 1, 1)),
                a_role(world.practice, specialities=("general_medicine",)),
            ),
        )
    )
    world.add_caller("anne", "patient", world.anne.id)
    return world


def refusal(answer, status):
    """Return the only issue of an OperationOutcome."""
    assert answer.status_code == status, answer.text
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    assert "Traceback" not in answer.text
    return outcome["issue"][0]


async def test_looks_at_professionals_and_organisations_are_journalled(world, journal):
    world.add_caller("curious", "practitioner")
    await world.ask(f"Practitioner/{world.doctor.id}", "curious")
    await world.ask(f"Practitioner/{uuid7()}", "curious")
    await world.ask("Organization?name=Clinique&_count=5", "curious")
    role = world.doctor.roles[1]
    await world.ask(f"PractitionerRole?practitioner={world.doctor.id}&organization={world.practice.id}", "curious")
    entries = await journal.entries_of(NIL, [ProfessionalsRead], limit=20)
    mine = [one for one in reversed(entries) if one.actor.id == world.callers["curious"].actor.id]
    assert [(one.event.type, one.event.by, one.event.found) for one in mine] == [
        ("Practitioner", (), (world.doctor.id,)),
        ("Practitioner", (), ()),
        ("Organization", ("name",), (world.clinic.id,)),
        ("PractitionerRole", ("organization", "practitioner"), (role.id,)),
    ]
    assert {one.origin for one in mine} == {"192.0.2.7"}


async def test_read_returns_r4_patient(world, directory):
    at = datetime(2024, 5, 6, 7, 8, tzinfo=UTC)
    person = await directory.register_person(replace(a_person(), deceased_at=at))
    answer = await world.ask(f"Patient/{person.id}")
    mrn, matricule = person.identifiers
    assert answer.json() == {
        "resourceType": "Patient",
        "id": str(person.id),
        "identifier": [
            {"system": MRN, "value": mrn.value},
            {"use": "official", "system": "urn:oid:1.3.182.4.4", "value": matricule.value},
        ],
        "active": True,
        "name": [{"use": "official", "family": "Muster", "given": ["Élise", "Anne"]}],
        "gender": "female",
        "birthDate": "1980-04-09",
        "deceasedDateTime": "2024-05-06T07:08:00+00:00",
        "address": [{"line": ["1, rue du Test"], "city": "Lëtzebuerg", "postalCode": "1234", "country": "LU"}],
        "communication": [
            {"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "lb"}]}},
            {"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "fr"}]}},
        ],
    }


async def test_patient_is_found_by_each_form_of_identifier(world):
    matricule = next(i.value for i in world.anne.identifiers if i.system == MATRICULE)
    anne = [str(world.anne.id)]
    assert await world.ids("Patient", identifier=f"{MATRICULE}|{matricule}") == anne
    assert await world.ids("Patient", identifier=matricule) == anne
    assert await world.ids("Patient", identifier=f"|{matricule}") == []
    assert await world.ids("Patient", identifier=f"{MRN}|{matricule}") == []
    assert await world.ids("Patient", _id=anne[0]) == anne
    assert await world.ids("Patient", _id=anne[0], identifier="another") == []
    assert await world.ids("Patient", _id="not-an-id") == []


async def test_patient_is_found_by_exact_traits_only(world):
    anne = [str(world.anne.id)]
    assert await world.ids("Patient", family="ubel klein", birthdate="1990-05-17") == anne
    assert (
        await world.ids("Patient", family="ÜBEL-KLEIN", birthdate="eq1990-05-17", given="anne", gender="female")
        == anne
    )
    for wrong in (
        {"family": "Übel"},
        {"family": "Übel-Klei"},
        {"birthdate": "1990-05-18"},
        {"given": "Ann"},
        {"gender": "male"},
    ):
        traits = {"family": "Übel-Klein", "birthdate": "1990-05-17"} | wrong
        assert await world.ids("Patient", **traits) == [], wrong


@pytest.mark.parametrize(
    "query",
    [
        "",
        "family=Muster",
        "birthdate=1980-04-09",
        "given=Anne&birthdate=1980-04-09",
        "identifier=",
        "family=&birthdate=1980-04-09",
        "gender=female",
    ],
)
async def test_search_with_too_few_criteria_is_refused(world, query):
    issue = refusal(await world.ask(f"Patient?{query}"), 400)
    assert issue["code"] == "required"
    assert "birthdate" in issue["diagnostics"]


@pytest.mark.parametrize(
    ("query", "place"),
    [
        (f"identifier={MATRICULE}%7C123", "identifier"),
        (f"identifier={MATRICULE}%7C%2018931201057AB", "identifier"),
        (f"identifier={MATRICULE}%7C", "identifier"),
        ("identifier=" + "9" * 10_000, "identifier"),
        ("identifier=a%00b", "identifier"),
        ("identifier=a,b", "identifier"),
        ("identifier=a&identifier=b", "identifier"),
        ("identifier=relative%7Cx", "identifier"),
        ("identifier:missing=true", "identifier:missing"),
        ("family:contains=a&birthdate=1980-04-09", "family:contains"),
        ("family=" + "x" * 10_000 + "&birthdate=1980-04-09", "family"),
        ("family=a%00&birthdate=1980-04-09", "family"),
        ("family=Muster&birthdate=1980", "birthdate"),
        ("family=Muster&birthdate=ge1980-04-09", "birthdate"),
        ("family=Muster&birthdate=1980-02-30", "birthdate"),
        ("family=Muster&birthdate=' OR 1=1 --", "birthdate"),
        ("identifier=x&_count=-1", "_count"),
        ("identifier=x&_count=many", "_count"),
    ],
)
async def test_invalid_search_is_refused_with_its_place(world, query, place):
    issue = refusal(await world.ask(f"Patient?{query}"), 400)
    assert issue["expression"] == [place]
    assert len(issue["diagnostics"]) < 300


@pytest.mark.parametrize("value", ["' OR '1'='1", "'; DROP TABLE person; --", "%", "_", "\\", "(SELECT 1)", "💉"])
async def test_sql_in_parameters_is_plain_text(world, value):
    assert await world.ids("Patient", identifier=value) == []
    assert await world.ids("Patient", family=value, birthdate="1990-05-17") == []
    assert await world.ids("Practitioner", name=value) == []
    assert await world.ids("Organization", name=value) == []
    assert await world.ids("PractitionerRole", specialty=value) == []
    assert await world.ids("Patient", _id=str(world.anne.id)) == [str(world.anne.id)]


async def test_html_in_name_is_returned_as_text(world):
    found = await world.found("Patient", family="script alert 1 script", birthdate="1950-01-02")
    assert [patient["name"][0]["family"] for patient in found] == ["<script>alert(1)</script>"]
    assert "communication" not in found[0]
    assert [each["name"] for each in await world.found("Organization", name="bleue")] == ["Clinique <b>Bleue</b>"]


async def test_unknown_parameter_is_reported_or_refused_when_strict(world):
    params = {"_id": str(world.anne.id), "shoe": "42"}
    answer = (await world.ask("Patient", params=params)).json()
    assert [entry["search"]["mode"] for entry in answer["entry"]] == ["match", "outcome"]
    assert "shoe" in answer["entry"][1]["resource"]["issue"][0]["diagnostics"]
    strict = await world.ask("Patient", params=params, headers={"Prefer": "handling=strict"})
    assert refusal(strict, 400)["expression"] == ["shoe"]


async def test_wrong_check_digit_is_refused_when_strict(strict):
    world = World(strict)
    assert refusal(await world.ask(f"Patient?identifier={MATRICULE}%7C1893120105733"), 400)["code"] == "value"
    assert await world.ids("Patient", identifier=f"{MATRICULE}|1893120105732") == []


async def test_search_by_post_equals_search_by_get(world):
    matricule = next(i.value for i in world.anne.identifiers if i.system == MATRICULE)
    form = {"identifier": f"{MATRICULE}|{matricule}"}
    posted = await world.ask("Patient/_search", method="POST", data=form)
    assert posted.json() == (await world.ask("Patient", params=form)).json()
    assert posted.json()["entry"][0]["resource"]["id"] == str(world.anne.id)
    assert refusal(await world.ask("Patient/_search", method="POST", json=form), 415)
    assert refusal(await world.ask("Patient/_search", method="POST", content=b"a" * 70_000, headers=FORM), 413)
    assert refusal(await world.ask("Patient/_search", method="POST", content=b"\xff=%ff", headers=FORM), 400)


async def test_anonymous_requests_are_unauthorized(world):
    for path in ("Patient?_id=1", f"Patient/{world.anne.id}", "Practitioner", f"Organization/{world.clinic.id}"):
        assert refusal(await world.ask(path, caller="nobody"), 401)["code"] == "login"


async def test_other_persons_are_like_absent_for_patient(world, journal):
    own = f"Patient/{world.anne.id}"
    assert (await world.ask(own, caller="anne")).json()["id"] == str(world.anne.id)
    other = await world.ask(f"Patient/{world.marc.id}", caller="anne")
    nobody = await world.ask(f"Patient/{uuid7()}", caller="anne")
    nonsense = await world.ask("Patient/nonsense", caller="anne")
    assert other.status_code == nobody.status_code == nonsense.status_code == 404
    assert other.content == nobody.content == nonsense.content

    def search(person):
        query = {"family": person.family, "birthdate": person.birth_date.isoformat()}
        return world.ask("Patient", caller="anne", params=query)

    assert len((await search(world.anne)).json()["entry"]) == 1
    assert "entry" not in (await search(world.marc)).json()
    assert "entry" not in (await search(replace(world.marc, birth_date=date(1951, 1, 2)))).json()
    entries = await journal.entries_of(world.marc.id, [PersonRead], limit=1)
    assert (entries[0].actor.name, entries[0].event.allowed) == ("anne", False)


async def test_searches_are_journalled_with_actor_and_origin(world, journal, db):
    await world.ids("Patient", _id=str(world.marc.id))
    entry = (await journal.entries_of(world.marc.id, [PersonSearched], limit=1))[0]
    assert (entry.actor.name, entry.origin) == ("hospital", "192.0.2.7")
    assert entry.event == PersonSearched(by=("id",), found=1)
    await world.ids("Patient", identifier="nobody-has-this")
    entry = (await journal.entries_of(UUID(int=0), [PersonSearched], limit=1))[0]
    assert entry.event == PersonSearched(by=("value",), found=0)
    contents = await db.fetch("SELECT content FROM journal_entry")
    assert not any(b"nobody-has-this" in row["content"] for row in contents)


async def test_interaction_requires_its_scope(world):
    paths = (f"Patient/{world.anne.id}", f"Patient?_id={world.anne.id}", f"Organization/{world.clinic.id}")
    for scopes, expected in (
        ({"Patient.r", "Patient.s", "Organization.r"}, [200, 200, 200]),
        ({"Patient.r"}, [200, 403, 403]),
        ({"Patient.s"}, [403, 200, 403]),
        (set(), [403, 403, 403]),
    ):
        world.add_caller("software", "organization", scopes=scopes)
        assert [(await world.ask(path, caller="software")).status_code for path in paths] == expected


async def test_read_returns_r4_practitioner_and_roles(world):
    profession = "https://esante.lu/fhir/CodeSystem/profession"
    speciality = "https://esante.lu/fhir/CodeSystem/speciality"

    def concept(system, code, label):
        return {"coding": [{"system": system, "code": code, "display": label}], "text": label}

    assert (await world.ask(f"Practitioner/{world.doctor.id}")).json() == {
        "resourceType": "Practitioner",
        "id": str(world.doctor.id),
        "identifier": [{"use": "official", "system": EHEALTH_ID, "value": world.doctor.identifiers[0].value}],
        "active": True,
        "name": [{"use": "official", "family": "Kieffer", "given": ["Jos"], "prefix": ["Dr"]}],
        "qualification": [
            {"code": concept(profession, "doctor", "Doctor")},
            {"code": concept(speciality, "cardiology", "Cardiology")},
        ],
        "communication": [{"coding": [{"system": "urn:ietf:bcp:47", "code": "lb"}]}],
    }
    past, present = world.doctor.roles
    assert (await world.ask(f"PractitionerRole/{past.id}")).json() == {
        "resourceType": "PractitionerRole",
        "id": str(past.id),
        "active": False,
        "period": {"start": "2020-01-01", "end": "2020-12-31"},
        "practitioner": {"reference": f"Practitioner/{world.doctor.id}", "display": "Dr Jos Kieffer"},
        "organization": {"reference": f"Organization/{world.clinic.id}", "display": "Clinique <b>Bleue</b>"},
        "code": [concept(profession, "doctor", "Doctor")],
        "specialty": [concept(speciality, "cardiology", "Cardiology")],
    }
    assert (await world.ask(f"PractitionerRole/{present.id}")).json()["period"] == {"start": "2020-01-01"}


async def test_read_returns_r4_organization(world):
    kind = {"system": "https://esante.lu/fhir/CodeSystem/profession", "code": "hospital", "display": "Hospital"}
    assert (await world.ask(f"Organization/{world.clinic.id}")).json() == {
        "resourceType": "Organization",
        "id": str(world.clinic.id),
        "identifier": [{"use": "official", "system": PROVIDER_CODE, "value": world.clinic.identifiers[0].value}],
        "active": True,
        "type": [{"coding": [kind], "text": "Hospital"}],
        "name": "Clinique <b>Bleue</b>",
        "address": [{"city": "Ettelbruck", "country": "LU"}],
    }


async def test_practitioners_and_organizations_are_searched(world):
    doctor, clinic = str(world.doctor.id), str(world.clinic.id)
    number = world.doctor.identifiers[0].value
    assert await world.ids("Practitioner", name="kief") == [doctor]
    assert await world.ids("Practitioner", identifier=f"{EHEALTH_ID}|{number}", name="jos") == [doctor]
    assert await world.ids("Practitioner", identifier=number, name="marc") == []
    assert await world.ids("Practitioner", _id=doctor) == [doctor]
    assert await world.ids("Practitioner", _id=clinic) == []
    assert await world.ids("Organization", name="cliNIQUE bl", type="hospital") == [clinic]
    assert await world.ids("Organization", name="clinique", type="pharmacy") == []
    assert await world.ids("Organization", identifier=world.clinic.identifiers[0].value, type="hospital") == [clinic]
    assert await world.ids("Organization", _id=clinic, type="pharmacy") == []


async def test_roles_are_searched_by_practitioner_organization_and_specialty(world):
    past, present = (str(role.id) for role in world.doctor.roles)
    speciality = "https://esante.lu/fhir/CodeSystem/speciality"
    doctor, clinic = f"Practitioner/{world.doctor.id}", f"Organization/{world.clinic.id}"
    assert await world.ids("PractitionerRole", practitioner=doctor) == sorted([past, present])
    assert await world.ids("PractitionerRole", practitioner=str(world.doctor.id), organization=clinic) == [past]
    assert await world.ids("PractitionerRole", organization=f"{BASE}/{clinic}") == [past]
    assert await world.ids("PractitionerRole", practitioner=doctor, specialty="general_medicine") == [present]
    assert await world.ids("PractitionerRole", practitioner=doctor, specialty=f"{speciality}|cardiology") == [past]
    assert await world.ids("PractitionerRole", practitioner=doctor, specialty="urn:x|cardiology") == []
    assert await world.ids("PractitionerRole", practitioner=clinic) == []
    assert await world.ids("PractitionerRole", _id=past) == [past]


async def test_next_links_lead_through_all_pages(world, directory):
    twins = [a_practitioner(family="Seitenweise") for _ in range(5)]
    await directory.register_practitioners(twins)
    path, found, pages = "Practitioner?name=seiten&_count=2", [], 0
    while path:
        bundle = (await world.ask(path)).json()
        found += [entry["resource"]["id"] for entry in bundle["entry"]]
        pages += 1
        links = {link["relation"]: link["url"] for link in bundle["link"]}
        path = links.get("next", "").removeprefix(f"{BASE}/")
    assert (pages, sorted(found)) == (3, sorted(str(twin.id) for twin in twins))
    assert refusal(await world.ask("Practitioner?_cursor=nonsense"), 400)["code"] == "invalid"
    assert refusal(await world.ask("PractitionerRole?_cursor=WyJhIl0"), 400)["code"] == "invalid"


async def test_homonyms_are_returned_in_pages(world, directory):
    twins = [a_person(family="Doppel", birth_date=date(2001, 1, 1)) for _ in range(3)]
    await directory.register_persons(twins)
    traits = {"family": "doppel", "birthdate": "2001-01-01"}
    assert sorted(await world.ids("Patient", **traits)) == sorted(str(twin.id) for twin in twins)
    first = (await world.ask("Patient", params={**traits, "_count": "2"})).json()
    link = next(link["url"] for link in first["link"] if link["relation"] == "next")
    second = (await world.ask(link.removeprefix(f"{BASE}/"))).json()
    assert [len(page["entry"]) for page in (first, second)] == [2, 1]
    assert "next" not in {link["relation"] for link in second["link"]}


async def test_writes_are_not_allowed(world):
    for method in ("PUT", "DELETE", "PATCH"):
        assert refusal(await world.ask(f"Patient/{world.anne.id}", method=method), 405)
    assert refusal(await world.ask("Patient", method="POST", json={}), 405)


def test_capability_statement_lists_every_search():
    entries = {entry["type"]: entry for entry in capabilities()}
    assert set(entries) == {"Patient", "Practitioner", "PractitionerRole", "Organization"}
    for type_, entry in entries.items():
        assert {parameter["name"] for parameter in entry["searchParam"]} == set(SEARCHES[type_])
        assert {interaction["code"] for interaction in entry["interaction"]} == {"read", "search-type"}
