"""Registering products and versions, stating phases and suspensions, what is published, who may, the journal."""

import asyncio
from datetime import date

import pytest

from esante.core.storage import NIL, uuid7
from esante.core.web import Problem
from esante.identity.access import Requester
from esante.services.conformance import AttestationChanged, PhasePassed, ProductRegistered, VersionRegistered
from esante.services.conformance.model import Kind, Statement, Status

PASSED = {"body": "Test institute", "reference": "R-2026-7", "passed_on": date(2026, 11, 2)}


async def problem_of(act):
    with pytest.raises(Problem) as refused:
        await act
    return refused.value


async def registered(conformance, operator, name="Exempla", profiles=("mhd", "pdqm")):
    product = await conformance.register_product(operator, name, "Vendor SA", "help@vendor.example")
    return product, await conformance.register_version(operator, product.product_id, "4.2", profiles)


async def attested(conformance, operator, name="Exempla", profiles=("mhd", "pdqm")):
    product, version = await registered(conformance, operator, name, profiles)
    for kind in (Kind.CONFORMITY, Kind.CONNECTION):
        version = await conformance.state(operator, version.version_id, Statement(kind=kind, **PASSED))
    return product, version


async def names_published(conformance, *search):
    return [product.name for product, _ in (await conformance.published(*search)).items]


async def test_version_is_published_after_both_phases_and_only_then(conformance, operator):
    _, version = await registered(conformance, operator)
    assert await names_published(conformance) == []
    early = await problem_of(
        conformance.state(operator, version.version_id, Statement(kind=Kind.CONNECTION, **PASSED))
    )
    assert early.status == 409
    await conformance.state(operator, version.version_id, Statement(kind=Kind.CONFORMITY, **PASSED))
    assert await names_published(conformance) == []
    done = await conformance.state(operator, version.version_id, Statement(kind=Kind.CONNECTION, **PASSED))
    assert (done.status, done.attested_at is None) == (Status.ATTESTED, False)
    assert await names_published(conformance) == ["Exempla"]


async def test_suspended_and_withdrawn_version_is_not_published(conformance, operator):
    product, version = await attested(conformance, operator)
    for kind, published in (
        (Kind.SUSPENSION, []),
        (Kind.RESUMPTION, ["Exempla"]),
        (Kind.SUSPENSION, []),
        (Kind.WITHDRAWAL, []),
    ):
        await conformance.state(
            operator, version.version_id, Statement(kind=kind, reason="A fault in the identifiers")
        )
        assert await names_published(conformance) == published
    ((found, acts),) = (await conformance.find(operator, product.product_id))[1]
    assert (found.status, len(acts), acts[-1].reason) == (Status.WITHDRAWN, 6, "A fault in the identifiers")
    assert found.attested_at == version.attested_at


async def test_attestation_does_not_pass_to_a_new_version(conformance, operator):
    product, _ = await attested(conformance, operator)
    new = await conformance.register_version(operator, product.product_id, "4.3", ["mhd"])
    assert new.status is Status.REGISTERED
    assert [version.version for _, version in (await conformance.published()).items] == ["4.2"]


async def test_list_is_searched_by_words_and_profile_and_paged_without_gaps(conformance, operator):
    for number in range(5):
        await attested(conformance, operator, f"Product {number}", ("ips",) if number % 2 else ("mhd",))
    assert await names_published(conformance, "vendor PRODUCT 3") == ["Product 3"]
    assert await names_published(conformance, "", "ips") == ["Product 1", "Product 3"]
    assert await names_published(conformance, "xyzzy") == []
    found, cursor = [], None
    while True:
        page = await conformance.published("", "", cursor, 2)
        found += [product.name for product, _ in page.items]
        if (cursor := page.next) is None:
            break
    assert found == [f"Product {number}" for number in range(5)]
    assert (await problem_of(conformance.published("", "", "x"))).status == 400


async def test_names_are_taken_once(conformance, operator):
    product, _ = await registered(conformance, operator)
    again = await problem_of(conformance.register_product(operator, "EXEMPLA", "vendor sa", ""))
    assert (again.status, again.place) == (409, "name")
    again = await problem_of(conformance.register_version(operator, product.product_id, "4.2", ["mhd"]))
    assert (again.status, again.place) == (409, "version")


async def test_two_operators_at_once_state_a_phase_once(conformance, operator):
    product, version = await registered(conformance, operator)
    passed = Statement(kind=Kind.CONFORMITY, **PASSED)
    found = await asyncio.gather(
        *(conformance.state(operator, version.version_id, passed) for _ in range(2)), return_exceptions=True
    )
    assert sorted(isinstance(one, Problem) for one in found) == [False, True]
    ((_, acts),) = (await conformance.find(operator, product.product_id))[1]
    assert len(acts) == 1


@pytest.mark.parametrize("profiles", [[], ["riddle"], ["mhd", "riddle"]])
async def test_version_without_known_profiles_is_refused(conformance, operator, profiles):
    product, _ = await registered(conformance, operator)
    refused = await problem_of(conformance.register_version(operator, product.product_id, "5", profiles))
    assert (refused.status, refused.place) == (400, "profiles")


async def test_others_than_operators_and_unknown_keys_are_refused(conformance, operator):
    product, version = await registered(conformance, operator)
    passed = Statement(kind=Kind.CONFORMITY, **PASSED)
    for kind in ("patient", "practitioner", "organization"):
        stranger = Requester(kind=kind, id=uuid7(), name="X")
        for act in (
            conformance.search(stranger),
            conformance.find(stranger, product.product_id),
            conformance.register_product(stranger, "Other", "Vendor", ""),
            conformance.register_version(stranger, product.product_id, "5", ["mhd"]),
            conformance.state(stranger, version.version_id, passed),
        ):
            assert (await problem_of(act)).status == 403
    for act in (
        conformance.find(operator, uuid7()),
        conformance.register_version(operator, uuid7(), "5", ["mhd"]),
        conformance.state(operator, uuid7(), passed),
    ):
        assert (await problem_of(act)).status == 404


async def test_every_act_is_journalled(conformance, operator, journal):
    _, version = await attested(conformance, operator)
    await conformance.state(operator, version.version_id, Statement(kind=Kind.SUSPENSION, reason="A fault"))
    types = [ProductRegistered, VersionRegistered, PhasePassed, AttestationChanged]
    entries = (await journal.entries_of(NIL, types, limit=5))[::-1]
    assert [type(entry.event) for entry in entries] == [
        ProductRegistered,
        VersionRegistered,
        PhasePassed,
        PhasePassed,
        AttestationChanged,
    ]
    assert {entry.actor.id for entry in entries} == {operator.id}
    assert (entries[2].event.reference, entries[4].event.reason) == ("R-2026-7", "A fault")
