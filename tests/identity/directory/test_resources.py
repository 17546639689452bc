"""Every resource of the directory is right R4, after the platform's own checker."""

from dataclasses import replace
from datetime import UTC, date, datetime

import orjson
import pytest

from esante.core.fhir import check
from esante.core.fhir.rest import searchset
from esante.identity.directory import (
    Address,
    catalogue,
    organization_resource,
    patient_resource,
    practitioner_resource,
    role_resource,
)
from tests.identity.directory.conftest import a_person, a_practitioner, a_role, an_organization

LISTS = catalogue()
BARE = {"identifiers": (), "given": (), "languages": ()}


def resources():
    house = an_organization()
    doctor = a_practitioner(house)
    role, ended = a_role(house), a_role(house, until=date(2024, 1, 1))
    return [
        patient_resource(a_person(deceased_at=datetime(2024, 1, 1, tzinfo=UTC)), LISTS),
        patient_resource(replace(a_person(), address=Address(), **BARE), LISTS),
        practitioner_resource(doctor, LISTS),
        practitioner_resource(replace(doctor, title="", specialities=(), roles=(), **BARE), LISTS),
        role_resource(doctor, role, house, LISTS, date(2024, 1, 1)),
        role_resource(doctor, replace(ended, specialities=()), None, LISTS, date(2024, 1, 1)),
        organization_resource(house, LISTS),
        organization_resource(replace(house, identifiers=(), address=Address()), LISTS),
    ]


@pytest.mark.parametrize("resource", resources(), ids=lambda resource: resource["resourceType"])
def test_a_resource_is_right_r4(resource):
    assert check(orjson.dumps(resource)).issues == ()


def test_a_search_set_is_right_r4():
    one_of_each = {resource["resourceType"]: resource for resource in resources()}
    base = "http://esante.test/fhir"
    bundle = searchset(one_of_each.values(), self_url=f"{base}/Patient", base_url=base)
    assert check(orjson.dumps(bundle)).issues == ()
