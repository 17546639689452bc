"""Members of the SOC: admission, quota, contacts, and who sees which member."""

from uuid import uuid4

import pytest

from esante.core.web import Problem
from esante.identity.access import Requester
from esante.services.soc.tenants.model import Scope
from esante.services.soc.tenants.service import PAGE_SIZE
from tests.support.directory_entries import an_organization


async def refused(call) -> int:
    """Return the status of the problem that a call raises."""
    with pytest.raises(Problem) as caught:
        await call
    return caught.value.status


async def test_operator_sees_everything_and_contact_their_own_member_only(world):
    tenant, contact = await world.member("Hôpital A")
    other, _ = await world.member("Hôpital B")
    assert await world.tenants.scope_of(world.anna) == Scope(None)
    assert await world.tenants.scope_of(contact) == Scope(tenant.tenant_id)
    assert await world.tenants.tenant(contact, tenant.tenant_id) == tenant
    assert await refused(world.tenants.tenant(contact, other.tenant_id)) == 404
    assert await refused(world.tenants.tenant(contact, uuid4())) == 404


async def test_professional_who_is_no_contact_and_patient_see_nothing(world):
    tenant, _ = await world.member("Hôpital C")
    organization = await world.directory.organization(tenant.organization_id)
    colleague = await world.professional(organization)
    patient = Requester(kind="patient", id=uuid4(), name="Somebody")
    for requester in (colleague, patient):
        assert await refused(world.tenants.scope_of(requester)) == 404


async def test_contact_whose_function_ended_sees_nothing_any_more(world):
    tenant, contact = await world.member("Hôpital D")
    await world.tenants.end_contact(world.anna, tenant.tenant_id, contact.id)
    assert await refused(world.tenants.scope_of(contact)) == 404
    assert await refused(world.tenants.end_contact(world.anna, tenant.tenant_id, contact.id)) == 404


async def test_contact_at_another_employer_sees_nothing_of_the_member(world):
    _, contact = await world.member("Hôpital E")
    elsewhere = await world.directory.register_organization(an_organization(name="Elsewhere"))
    moved = Requester(kind="practitioner", id=contact.id, name=contact.name, organization_id=elsewhere.id)
    assert await refused(world.tenants.scope_of(moved)) == 404


async def test_only_operators_admit_members_and_each_once(world):
    tenant, contact = await world.member("Hôpital F")
    assert await refused(world.tenants.admit(contact, tenant.organization_id)) == 403
    assert await refused(world.tenants.admit(world.anna, tenant.organization_id)) == 409
    assert await refused(world.tenants.admit(world.anna, uuid4())) == 404


@pytest.mark.parametrize("quota", [0, -1, 100_001])
async def test_quota_out_of_range_is_refused(world, quota):
    tenant, _ = await world.member("Hôpital G")
    assert await refused(world.tenants.change(world.anna, tenant.tenant_id, is_active=True, quota=quota)) == 400


async def test_change_of_quota_is_kept_and_journalled(world):
    tenant, _ = await world.member("Hôpital H")
    changed = await world.tenants.change(world.anna, tenant.tenant_id, is_active=False, quota=7)
    assert await world.tenants.tenant(world.anna, tenant.tenant_id) == changed
    assert (changed.is_active, changed.events_per_second) == (False, 7)


async def test_somebody_from_elsewhere_is_no_contact(world):
    tenant, _ = await world.member("Hôpital I")
    elsewhere = await world.directory.register_organization(an_organization(name="Elsewhere"))
    stranger = await world.professional(elsewhere)
    assert await refused(world.tenants.add_contact(world.anna, tenant.tenant_id, stranger.id)) == 400


async def test_agency_is_one_member(world):
    first = await world.tenants.agency()
    assert first == await world.tenants.agency() and first.organization_id is None


async def test_members_are_paged_by_name_and_searched(world):
    for number in range(PAGE_SIZE + 1):
        await world.member(f"Zentrum {number:03}")
    page = await world.tenants.page(world.anna, "zentrum")
    rest = await world.tenants.page(world.anna, "zentrum", page.next)
    names = [one.name for one in (*page.items, *rest.items)]
    assert names == [f"Zentrum {number:03}" for number in range(PAGE_SIZE + 1)] and rest.next is None
    assert (await world.tenants.page(world.anna, "no such name")).items == []
