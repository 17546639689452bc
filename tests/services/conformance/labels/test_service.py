"""Labels: evidence is checked, two operators decide, a new version of the kit or time ends them."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from esante.core.storage import NIL, uuid7
from esante.core.time_zone import today
from esante.core.web import Problem
from esante.identity.access import Requester
from esante.services.conformance.kits.catalogue import kits
from esante.services.conformance.labels import service as module
from esante.services.conformance.labels.model import (
    LabelApplied,
    LabelEnded,
    LabelGranted,
    LabelOutdated,
    LabelReviewed,
    LabelState,
)
from esante.services.conformance.vendors.model import VendorChange
from tests.services.conformance.kits.test_runs import run_sample
from tests.support.rest_hook_receiver import receiving
from tests.support.sample_kits import use_sample_kits

TYPES = (LabelApplied, LabelReviewed, LabelGranted, LabelOutdated, LabelEnded)


@pytest.fixture(autouse=True)
def sample_kit():
    with use_sample_kits():
        yield


@pytest.fixture
async def version(conformance, vendor):
    product = await conformance.register_product(vendor, "Exempla", vendor.name, "vera@vendor.example")
    return await conformance.register_version(vendor, product.product_id, "4.2", ["mhd"])


@pytest.fixture
def new_kit(monkeypatch):
    """A function that gives the sample kit a new version."""

    def renew(number):
        found = {**kits(), "sample": replace(kits()["sample"], version=number)}
        monkeypatch.setattr(module, "kits", lambda: found)

    return renew


async def problem_of(call):
    with pytest.raises(Problem) as caught:
        await call
    return caught.value


async def passed_run(runs, vendor, mode="ok"):
    async with receiving(mode) as target:
        return await run_sample(runs, vendor, f"http://127.0.0.1:{target.port}")


async def applied(labels, runs, vendor, version):
    return await labels.apply(vendor, version.version_id, (await passed_run(runs, vendor)).run_id)


async def granted(labels, runs, vendor, version, *operators):
    label = await applied(labels, runs, vendor, version)
    for operator in operators:
        label = await labels.review(operator, label.label_id, approved=True)
    return label


async def events_of(journal, version):
    entries = await journal.entries_of(NIL, list(TYPES), limit=30)
    return [entry.event for entry in entries if entry.event.version_id == version.version_id][::-1]


async def evidence(labels, vendor, version):
    found = await labels.evidence(vendor, [version.version_id])
    return [run.run_id for run in found[version.version_id]]


async def names(labels, *search):
    return [(one.product, one.version) for one in (await labels.published(*search)).items]


async def test_label_is_granted_by_the_second_operator_and_published(
    labels, runs, vendor, version, operator, second_operator, journal
):
    label = await applied(labels, runs, vendor, version)
    assert (await labels.review(operator, label.label_id, approved=True)).state is LabelState.APPLIED
    assert await names(labels) == []
    again = await problem_of(labels.review(operator, label.label_id, approved=True))
    assert again.status == 409 and "already" in again.title
    done = await labels.review(second_operator, label.label_id, approved=True)
    assert done.state is LabelState.GRANTED and await names(labels, "vendor EXEMPLA 4.2", "sample") == [
        ("Exempla", "4.2")
    ]
    assert await names(labels, "xyzzy") == [] and await names(labels, "", "dsp") == []
    found = await events_of(journal, version)
    assert [type(one) for one in found] == [LabelApplied, LabelReviewed, LabelReviewed, LabelGranted]
    event = found[-1]
    assert (event.product, event.vendor, event.version, event.kit) == ("Exempla", "Vendor SA", "4.2", "sample")
    assert (event.vendor_id, event.kit_version, event.until) == (vendor.id, "1.0", done.until)
    assert await evidence(labels, vendor, version) == []
    assert (await problem_of(applied(labels, runs, vendor, version))).status == 409


async def test_two_operators_at_once_grant_once(labels, runs, vendor, version, operator, second_operator, journal):
    label = await applied(labels, runs, vendor, version)
    third = Requester(kind="operator", id=uuid7(), name="Third")
    reviews = (labels.review(one, label.label_id, approved=True) for one in (operator, second_operator, third))
    found = await asyncio.gather(*reviews, return_exceptions=True)
    assert sum(isinstance(one, Problem) for one in found) == 1
    assert [type(one) for one in await events_of(journal, version)].count(LabelGranted) == 1


async def test_one_refusal_with_a_reason_refuses(labels, runs, vendor, version, operator, second_operator):
    label = await applied(labels, runs, vendor, version)
    await labels.review(operator, label.label_id, approved=True)
    assert (await problem_of(labels.review(second_operator, label.label_id, approved=False))).place == "reason"
    refused = await labels.review(second_operator, label.label_id, approved=False, reason="Another product was tested")
    assert refused.state is LabelState.REFUSED and await names(labels) == []
    ((shown,),) = (await labels.of_versions([version.version_id])).values()
    assert shown.reason == "Another product was tested"
    assert (await applied(labels, runs, vendor, version)).state is LabelState.APPLIED


async def test_application_needs_a_passed_run_of_the_vendor(
    labels, runs, vendors, conformance, vendor, version, operator
):
    failed = await passed_run(runs, vendor, "500")
    other_id = (await vendors.register("Other", "Otto", "otto@other.example", "192.0.2.1"))[0].vendor_id
    other = (await vendors.change(operator, other_id, VendorChange.ACCEPTANCE)).requester()
    foreign = await passed_run(runs, other)
    for run_id in (failed.run_id, foreign.run_id, uuid7(), None):
        refused = await problem_of(labels.apply(vendor, version.version_id, run_id))
        assert (refused.status, refused.place) == (400, "run")
    assert await evidence(labels, vendor, version) == []
    assert (await problem_of(labels.apply(other, version.version_id, foreign.run_id))).status == 404


async def test_run_that_is_too_old_or_of_an_old_kit_is_no_evidence(labels, runs, vendor, version, new_kit, days_later):
    run = await passed_run(runs, vendor)
    assert await evidence(labels, vendor, version) == [run.run_id]
    new_kit("1.1")
    assert await evidence(labels, vendor, version) == []
    assert "another version" in (await problem_of(labels.apply(vendor, version.version_id, run.run_id))).title
    new_kit("1.0")
    await days_later(31)
    assert await evidence(labels, vendor, version) == []
    assert "too old" in (await problem_of(labels.apply(vendor, version.version_id, run.run_id))).title


async def test_application_is_not_granted_after_the_kit_changed_or_the_vendor_was_suspended(
    labels, runs, vendors, vendor, version, operator, second_operator, new_kit
):
    label = await applied(labels, runs, vendor, version)
    await labels.review(operator, label.label_id, approved=True)
    new_kit("1.1")
    assert (await problem_of(labels.review(second_operator, label.label_id, approved=True))).status == 409
    new_kit("1.0")
    await vendors.change(operator, vendor.id, VendorChange.SUSPENSION, "False statements")
    refused = await problem_of(labels.review(second_operator, label.label_id, approved=True))
    assert "not accepted" in refused.title and await names(labels) == []


async def test_vendor_who_is_not_accepted_cannot_apply(labels, runs, vendors, vendor, version, operator):
    run = await passed_run(runs, vendor)
    await vendors.change(operator, vendor.id, VendorChange.SUSPENSION, "False statements")
    assert (await problem_of(labels.apply(vendor, version.version_id, run.run_id))).status == 303


async def test_withdrawn_label_leaves_the_list_with_its_reason(
    labels, runs, vendor, version, operator, second_operator, journal
):
    label = await granted(labels, runs, vendor, version, operator, second_operator)
    assert (await problem_of(labels.withdraw(operator, label.label_id, " "))).place == "reason"
    ended = await labels.withdraw(operator, label.label_id, "It pays twice")
    assert (ended.state, ended.cause, ended.reason) == (LabelState.ENDED, "withdrawn", "It pays twice")
    assert await names(labels) == []
    event = (await events_of(journal, version))[-1]
    assert (event.kit, event.cause) == ("sample", "withdrawn")
    assert (await problem_of(labels.withdraw(operator, label.label_id, "Again"))).status == 409


async def test_expired_label_is_not_listed_and_ends_with_the_next_tending(
    labels, runs, vendor, version, operator, second_operator, journal, days_later
):
    await granted(labels, runs, vendor, version, operator, second_operator)
    await days_later(730)
    await labels.tend()
    assert await names(labels) == [("Exempla", "4.2")]
    await days_later(1)
    assert await names(labels) == []
    await labels.tend()
    await labels.tend()
    found = await events_of(journal, version)
    assert [one.cause for one in found if isinstance(one, LabelEnded)] == ["expired"]


async def test_new_version_of_the_kit_marks_labels_and_ends_those_not_tested_again(
    labels, runs, vendor, version, operator, second_operator, journal, days_later, new_kit
):
    await granted(labels, runs, vendor, version, operator, second_operator)
    await labels.tend()
    new_kit("1.1")
    await labels.tend()
    await labels.tend()
    (shown,) = (await labels.published()).items
    assert shown.label.run_again_by == today() + timedelta(days=180)
    await days_later(181)
    assert await names(labels) == []
    await labels.tend()
    found = await events_of(journal, version)
    assert [type(one) for one in found[-2:]] == [LabelOutdated, LabelEnded]
    assert found[-1].cause == "not_run_again" and [type(one) for one in found].count(LabelOutdated) == 1


async def test_renewal_takes_the_place_of_the_label_without_an_end(
    labels, runs, vendor, version, operator, second_operator, journal, days_later
):
    first = await granted(labels, runs, vendor, version, operator, second_operator)
    await days_later(700)
    second = await granted(labels, runs, vendor, version, operator, second_operator)
    assert second.until > first.until and await names(labels) == [("Exempla", "4.2")]
    states = [one.state for one in (await labels.of_versions([version.version_id]))[version.version_id]]
    assert states == [LabelState.GRANTED, LabelState.RENEWED]
    types = [type(one) for one in await events_of(journal, version)]
    assert types.count(LabelGranted) == 2 and LabelEnded not in types


async def test_others_than_operators_see_and_decide_nothing(labels, runs, vendor, version):
    label = await applied(labels, runs, vendor, version)
    for stranger in (vendor, Requester(kind="patient", id=uuid7(), name="X")):
        for act in (
            labels.search(stranger),
            labels.case(stranger, label.label_id),
            labels.report(stranger, label.label_id),
            labels.review(stranger, label.label_id, approved=True),
            labels.withdraw(stranger, label.label_id, "Reason"),
        ):
            assert (await problem_of(act)).status == 403


async def test_list_of_operators_is_searched_by_state_and_paged(labels, runs, conformance, vendor, operator):
    run = await passed_run(runs, vendor)
    product = await conformance.register_product(vendor, "Exempla", vendor.name, "vera@vendor.example")
    for number in range(22):
        version = await conformance.register_version(vendor, product.product_id, f"5.{number}", ["mhd"])
        await labels.apply(vendor, version.version_id, run.run_id)
    first = await labels.search(operator, "exempla", "applied")
    rest = await labels.search(operator, "exempla", "applied", first.next)
    assert (len(first.items), len(rest.items), rest.next) == (20, 2, None)
    assert (await labels.search(operator, "", "granted")).items == []
    assert await labels.count_waiting() == 22
