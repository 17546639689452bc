"""Accounts of the demo: lists, requesters by name and id, tokens."""

import json
from datetime import timedelta

import pytest
from starlette.requests import Request

from esante.demo import find_account, find_requester, issue_token, list_accounts, list_people, list_personas
from esante.identity.access import Access
from esante.identity.directory import Directory
from esante.services.record import Record


async def test_people_are_listed_with_identifiers_and_patients(platform, country):
    people = await list_people(platform)
    names = [entry["name"] for entry in people]
    assert len(names) == len(set(names))
    assert json.loads(json.dumps(people)) == people
    assert {entry["role"] for entry in people} == {"patient", "practitioner", "organization", "operator"}
    roles = [entry["role"] for entry in people]
    assert roles.count("practitioner") == len(country.practitioners)
    assert roles.count("organization") == len(country.organizations)
    by_name = {entry["name"]: entry for entry in people}
    assert set(names[:11]) == {entry["name"] for entry in await list_personas(platform)}
    for entry in people:
        assert set(entry) == {"name", "role", "identifiers"} | (
            {"patients"} if entry["role"] in ("practitioner", "organization") else set()
        )
        assert all(set(identifier) == {"system", "value"} for identifier in entry["identifiers"])
        assert entry["identifiers"]
    assert by_name["Anna Musterfra"]["identifiers"][0] in by_name["Dr Paul Exempel"]["patients"]
    assert by_name["Dr Tom Notfall"]["patients"] == []
    assert by_name["Hôpital Fictif du Kirchberg"]["patients"]


async def test_listed_patients_have_a_record_open_to_the_doctor(platform):
    doctor = await find_requester(platform, "Dr Hélène Spécimen")
    listed = next(entry for entry in await list_people(platform) if entry["name"] == doctor.name)["patients"]
    for identifier in listed:
        person = await platform[Directory].find_person(identifier["system"], identifier["value"])
        assert (await platform[Record].timeline(doctor, person.id)).grant is not None


async def test_every_listed_account_is_found_by_id(platform):
    for entry in await list_accounts(platform):
        requester = await find_account(platform, entry["id"])
        assert (str(requester.id), requester.name, requester.kind) == (entry["id"], entry["name"], entry["role"])
    assert await find_account(platform, "not-an-id") is None
    assert await find_account(platform, "00000000-0000-7000-8000-000000000000") is None


@pytest.mark.parametrize(
    "name", ["Anna Musterfra", "Dr Paul Exempel", "Hôpital Fictif du Kirchberg", "Olivia Opérateur"]
)
async def test_token_authenticates_as_its_account(platform, name):
    token = await issue_token(platform, name, timedelta(hours=1))
    scope = {"type": "http", "method": "GET", "path": "/", "client": ("127.0.0.1", 1), "query_string": b""}
    request = Request({**scope, "headers": [(b"authorization", f"Bearer {token}".encode())]})
    assert (await platform[Access].authenticate(request)).name == name


async def test_token_for_an_unknown_name_raises_lookup_error(platform):
    with pytest.raises(LookupError, match="esante people"):
        await issue_token(platform, "Nemo Nobody", timedelta(hours=1))
