"""The resources of the directory are valid R4 by the platform's own validator."""

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
from tests.support.directory_entries import a_person, a_practitioner, a_role, an_organization

LISTS = catalogue()
BARE = {"identifiers": (), "given": (), "languages": ()}


def resources():
    organization = an_organization()
    doctor = a_practitioner(organization)
    role, ended = a_role(organization), a_role(organization, until=date(2024, 1, 1))
    return [
        patient_resource(a_person(deceased_at=datetime(2024, 1, 1, tzinfo=UTC)), LISTS),
        patient_resource(replace(a_person(), address=Address(), **BARE), LISTS),
        practitioner_resource(doctor, LISTS),
        practitioner_resource(replace(doctor, title="", specialities=(), roles=(), **BARE), LISTS),
        role_resource(doctor, role, organization, LISTS, date(2024, 1, 1)),
        role_resource(doctor, replace(ended, specialities=()), None, LISTS, date(2024, 1, 1)),
        organization_resource(organization, LISTS),
        organization_resource(replace(organization, identifiers=(), address=Address()), LISTS),
    ]


@pytest.mark.parametrize("resource", resources(), ids=lambda resource: resource["resourceType"])
def test_resource_is_valid_r4(resource):
    assert check(orjson.dumps(resource)).issues == ()


def test_searchset_is_valid_r4():
    one_of_each = {resource["resourceType"]: resource for resource in resources()}
    base = "http://esante.test/fhir"
    bundle = searchset(one_of_each.values(), self_url=f"{base}/Patient", base_url=base)
    assert check(orjson.dumps(bundle)).issues == ()
