"""Sites from the request to the end: who may, in which order, with which entries of the journal."""

import asyncio
from dataclasses import replace

import pytest

from esante.core.storage import uuid7
from esante.core.web import Problem
from esante.identity.directory import Address
from esante.services.healthnet.sites.model import SiteRequest, SiteState
from tests.support.healthnet_world import CONTACT, PLACE, a_key

REASON = "A reason that is long enough."


async def refused(act, status, place=""):
    """Await an act that is refused with a status."""
    with pytest.raises(Problem) as caught:
        await act
    assert (caught.value.status, caught.value.place or "") == (status, place)
    return caught.value


async def test_site_goes_from_request_to_end_with_an_entry_for_each_act(world):
    provider, code = await world.provider()
    site = await world.request(provider, f"{code[:6]}-{code[6:]}")
    assert (site.state, site.provider_code, site.kind) == (SiteState.REQUESTED, code, "practice")
    site = await world.sites.decide(world.ann, site.site_id, approved=True)
    addresses = (await world.addresses.all())[site.site_id]
    assert addresses.v6.subnet_of(world.addresses.plan.prefix6)
    site = await world.sites.record_gateway(site.site_id, a_key())
    assert site.state is SiteState.ACTIVE
    await world.sites.change(provider, site.site_id, service_class="medium")
    moved = await world.sites.change(provider, site.site_id, address=Address("2, rue du Test", "L-1234", "Esch"))
    assert moved.address.city == "Esch"
    await world.sites.quarantine(world.ben, site.site_id, REASON, quarantined=True)
    await world.sites.quarantine(world.ben, site.site_id, REASON, quarantined=False)
    await world.sites.suspend(world.ben, site.site_id, REASON)
    assert await world.sites.connected() == []
    assert (await world.sites.resume(world.ben, site.site_id, REASON)).state is SiteState.ACTIVE
    ended = await world.sites.end(provider, site.site_id, REASON)
    assert (ended.state, ended.wireguard_key) == (SiteState.ENDED, "")
    assert await world.addresses.all() == {}
    assert await world.events(site.key) == [
        "site_requested", "site_decided", "addresses_assigned", "site_enrolled", "site_changed",
        "site_changed", "site_quarantined", "site_quarantined", "site_suspended", "site_suspended", "site_ended",
        "addresses_released",
    ]  # fmt: skip


async def test_professional_asks_with_their_own_code_and_profession(world):
    doctor, code = await world.doctor()
    site = await world.request(doctor, code)
    assert (site.kind, site.profession) == ("practice", "doctor")


async def test_code_of_others_and_code_of_nobody_are_refused_alike(world):
    provider, _ = await world.provider()
    _, code = await world.provider()
    one = await refused(world.request(provider, code), 404)
    other = await refused(world.request(provider, "00000000"), 404)
    assert (one.title, one.detail, one.code) == (other.title, other.detail, other.code)
    assert (await refused(world.request(world.ann, "00000000"), 404)).title == one.title


async def test_code_that_an_organisation_and_a_professional_have_is_refused(world):
    provider, code = await world.provider()
    doctor, _ = await world.doctor(code)
    for requester in (provider, doctor, world.ann):
        await refused(world.request(requester, code), 404)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"provider_code": "1234567"}, "provider_code"),
        ({"provider_code": "１２３４５６７８"}, "provider_code"),
        ({"label": " \n"}, "label"),
        ({"label": "x" * 81}, "label"),
        ({"service_class": "huge"}, "service_class"),
        ({"address": Address("", "L-1234", "Esch")}, "line"),
        ({"address": Address("1, rue", "L", "Esch")}, "postal_code"),
        ({"contact": replace(CONTACT, phone="call me")}, "phone"),
        ({"contact": replace(CONTACT, email="anne@practice")}, "email"),
        ({"contact": replace(CONTACT, email="a@b.example\nBcc: c@d.example")}, "email"),
        ({"contact": replace(CONTACT, name="")}, "contact"),
    ],
)
async def test_wrong_value_of_a_request_is_refused_with_its_place(world, changes, place):
    provider, code = await world.provider()
    request = SiteRequest(provider_code=code, label="Main", address=PLACE, service_class="small", contact=CONTACT)
    await refused(world.sites.request(provider, replace(request, **changes)), 400, place)
    assert await world.events(code) == []


async def test_second_connection_of_one_place_is_refused_until_the_first_ended(world):
    provider, code = await world.provider()
    site = await world.request(provider, code)
    await refused(world.request(provider, code, label="MAIN practice"), 409, "label")
    await world.request(provider, code, label="Second practice")
    await world.sites.end(provider, site.site_id, REASON)
    await world.request(provider, code)


async def test_two_requests_for_one_place_at_once_make_one_site(world):
    provider, code = await world.provider()
    found = await asyncio.gather(*(world.request(provider, code) for _ in range(8)), return_exceptions=True)
    assert sum(not isinstance(one, Problem) for one in found) == 1
    assert all(one.status == 409 for one in found if isinstance(one, Problem))


async def test_operator_who_asked_does_not_decide(world):
    _, code = await world.provider()
    site = await world.request(world.ann, code)
    await refused(world.sites.decide(world.ann, site.site_id, approved=True), 403)
    assert (await world.sites.decide(world.ben, site.site_id, approved=True)).decided_by == "Ben"


async def test_request_is_decided_once_and_refused_with_a_reason(world):
    provider, code = await world.provider()
    site = await world.request(provider, code)
    await refused(world.sites.decide(world.ann, site.site_id, approved=False), 400, "reason")
    await world.sites.decide(world.ann, site.site_id, approved=False, reason=REASON)
    await refused(world.sites.decide(world.ben, site.site_id, approved=True), 409)
    await refused(world.sites.record_gateway(site.site_id, a_key()), 409)
    assert await world.addresses.all() == {}


async def test_nobody_but_operators_decides_suspends_or_quarantines(world):
    site, provider = await world.approved()
    for act in (
        world.sites.decide(provider, site.site_id, approved=True),
        world.sites.suspend(provider, site.site_id, REASON),
        world.sites.resume(provider, site.site_id, REASON),
        world.sites.quarantine(provider, site.site_id, REASON, quarantined=True),
        world.sites.page(provider, "", "", None),
    ):
        await refused(act, 403)


async def test_site_of_others_looks_like_one_that_does_not_exist(world):
    site, _ = await world.approved()
    other, _ = await world.provider()
    for site_id in (site.site_id, uuid7()):
        problems = [
            await refused(world.sites.find(other, site_id), 404),
            await refused(world.sites.change(other, site_id, label="Mine"), 404),
            await refused(world.sites.end(other, site_id, REASON), 404),
        ]
        assert len({(one.title, one.detail) for one in problems}) == 1


# Gateways


async def test_site_is_active_with_the_key_of_its_gateway_and_each_new_key_is_an_entry(world):
    site, _ = await world.approved()
    first, second = a_key(), a_key()
    for key in (first, first, second):
        site = await world.sites.record_gateway(site.site_id, key)
        assert (site.state, site.wireguard_key) == (SiteState.ACTIVE, key)
    assert (await world.events(site.key)).count("site_enrolled") == 2


async def test_gateway_of_a_site_that_is_not_approved_is_not_recorded(world):
    provider, code = await world.provider()
    site = await world.request(provider, code)
    await refused(world.sites.record_gateway(site.site_id, a_key()), 409)
    await world.sites.decide(world.ann, site.site_id, approved=True)
    await world.sites.suspend(world.ann, site.site_id, REASON)
    await refused(world.sites.record_gateway(site.site_id, a_key()), 409)
    await world.sites.end(provider, site.site_id, REASON)
    await refused(world.sites.record_gateway(site.site_id, a_key()), 409)
    await refused(world.sites.record_gateway(uuid7(), a_key()), 404)


async def test_key_of_another_site_is_refused(world):
    site, _ = await world.approved()
    other, _ = await world.active()
    await refused(world.sites.record_gateway(site.site_id, other.wireguard_key), 409)
    assert (await world.sites.find(world.ann, site.site_id)).state is SiteState.APPROVED


@pytest.mark.parametrize(
    "key",
    ["", "A" * 44, "AAAA", "A" * 43 + "=", a_key()[:-1], a_key() + "\n", "é" * 44],
    ids=["none", "no base64", "short", "zero", "without padding", "with a line break", "not ASCII"],
)
async def test_what_is_no_public_key_is_refused(world, key):
    await refused(world.sites.record_gateway(uuid7(), key), 400, "wireguard_key")


async def test_act_that_the_state_does_not_allow_changes_nothing(world):
    site, provider = await world.approved()
    await refused(world.sites.resume(world.ann, site.site_id, REASON), 409)
    await refused(world.sites.quarantine(world.ann, site.site_id, REASON, quarantined=False), 409)
    await world.sites.end(provider, site.site_id, REASON)
    before = await world.events(site.key)
    for act in (
        world.sites.change(provider, site.site_id, label="Other"),
        world.sites.end(provider, site.site_id, REASON),
        world.sites.quarantine(world.ann, site.site_id, REASON, quarantined=True),
    ):
        await refused(act, 409)
    assert await world.events(site.key) == before


async def test_change_of_nothing_has_no_entry(world):
    site, provider = await world.approved()
    before = await world.events(site.key)
    assert await world.sites.change(provider, site.site_id, label=site.label, contact=CONTACT) == site
    assert await world.events(site.key) == before


async def test_sites_are_searched_and_paged(world):
    provider, code = await world.provider()
    made = [await world.request(provider, code, label=f"Place {number}") for number in range(23)]
    page = await world.sites.page(world.ann, "", "requested", None)
    more = await world.sites.page(world.ann, "", "requested", page.next)
    assert [one.key for one in [*page.items, *more.items]] == [one.key for one in reversed(made)]
    assert [one.label for one in (await world.sites.page(world.ann, "PLACE 7", "", None)).items] == ["Place 7"]


def of_agency(**changes):
    """What an operator asks for a site of the agency."""
    given = {"provider_code": "", "label": "1", "address": PLACE, "service_class": "large", "contact": CONTACT}
    return SiteRequest(**{**given, **changes})


async def test_site_of_the_agency_is_asked_for_by_one_operator_approved_by_another_and_enrolled(world):
    site = await world.sites.request_platform(world.ann, "Data centre North", of_agency())
    assert (site.kind, site.provider_code, site.name) == ("platform", "", "Data centre North")
    await refused(world.sites.decide(world.ann, site.site_id, approved=True), 403)
    await world.sites.decide(world.ben, site.site_id, approved=True)
    assert site.site_id in await world.addresses.all()
    site = await world.sites.record_gateway(site.site_id, a_key())
    assert site.state is SiteState.ACTIVE
    assert await world.events(site.key) == ["site_requested", "site_decided", "addresses_assigned", "site_enrolled"]


async def test_site_of_the_agency_is_for_operators_only(world):
    provider, _ = await world.provider()
    await refused(world.sites.request_platform(provider, "Data centre", of_agency()), 403)
    site = await world.sites.request_platform(world.ann, "Data centre", of_agency())
    await refused(world.sites.find(provider, site.site_id), 404)
    await refused(world.sites.end(provider, site.site_id, REASON), 404)
    assert (await world.sites.find(world.ben, site.site_id)).key == site.key


async def test_site_of_the_agency_has_no_provider_code_and_a_label_of_its_own(world):
    await world.sites.request_platform(world.ann, "Data centre", of_agency())
    await refused(world.sites.request_platform(world.ann, "Data centre", of_agency(label=" 1 ")), 409, "label")
    await refused(world.sites.request_platform(world.ann, "Data centre", of_agency(provider_code="12345678")), 400,
                  "provider_code")  # fmt: skip
    await refused(world.sites.request_platform(world.ann, "", of_agency(label="2")), 400, "name")
