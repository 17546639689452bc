"""Accounts of vendors: keys, sign-in, acceptance and suspension, and what a vendor may register."""

import httpx
import pytest
from starlette.responses import JSONResponse
from starlette.routing import Route

from esante.core.storage import NIL, uuid7
from esante.core.time_zone import today
from esante.core.web import Problem
from esante.identity.access import Requester, SignInRefused, SignInsEnded, SoftwareClient, policy
from esante.services.conformance.vendors.model import (
    VendorChange,
    VendorChanged,
    VendorDeleted,
    VendorKeyReplaced,
    VendorRegistered,
    VendorStatus,
)
from tests.services.conformance.conftest import BASE
from tests.support.portal_browser import page_text

CONTACT = ("Vera Vendor", "vera@vendor.example")


async def problem_of(call):
    with pytest.raises(Problem) as caught:
        await call
    return caught.value


async def events_of(journal, *types):
    return [entry.event for entry in await journal.entries_of(NIL, list(types), limit=20)][::-1]


async def sign_in(browser, key, status=303):
    return await browser.submit(await browser.get("/vendors"), "/vendors/signin", status, key=key)


async def test_access_key_is_stored_as_its_digest_only(vendors, db):
    vendor, key = await vendors.register("Exempla", *CONTACT, "192.0.2.9")
    (row,) = await db.fetch("SELECT * FROM conformance_vendor")
    assert len(key) == 43 and key not in str(dict(row)) and len(row["key_hash"]) == 32
    assert vendor.status is VendorStatus.REGISTERED


async def test_vendor_signs_in_with_the_key_and_nobody_with_another(vendors, browse, journal):
    _, key = await vendors.register("Exempla", *CONTACT, "192.0.2.9")
    browser = await browse()
    refused = await sign_in(browser, "A" * 43, 400)
    assert "This access key is not valid" in refused.text
    (event,) = [one for one in await events_of(journal, SignInRefused) if one.method == "key"]
    assert event.reason == "unknown_key"
    assert (await sign_in(browser, f" {key} ")).headers["location"] == "/"
    assert "No product yet" in page_text(await browser.get("/vendor/products"))


async def test_wrong_keys_are_limited_by_network(app):
    transport = httpx.ASGITransport(app, client=("198.51.100.77", 1))
    most, headers = policy(today()).attempts_per_origin, {"Origin": BASE}
    async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers) as http:
        found = [(await http.post("/vendors/signin", data={"key": "x"})).status_code for _ in range(most + 1)]
    assert found == [400] * most + [429]


async def test_registrations_are_limited_by_network(vendors):
    for number in range(20):
        await vendors.register(f"Vendor {number}", *CONTACT, "198.51.100.7")
    refused = await problem_of(vendors.register("Vendor 20", *CONTACT, "198.51.100.7"))
    assert refused.status == 429
    await vendors.register("Vendor 20", *CONTACT, "198.51.100.8")


@pytest.mark.parametrize(
    ("name", "contact", "email", "place"),
    [("x", "Vera", "a@b.example", "name"), ("Exempla", "", "a@b.example", "contact"),
     ("Exempla", "Vera", "a.example", "email"), ("Exempla", "Vera", "a@b", "email"), ("E" * 201, "Vera", "a@b.example", "name")],
)  # fmt: skip
async def test_registration_with_a_wrong_text_is_refused_at_its_field(vendors, name, contact, email, place):
    assert (await problem_of(vendors.register(name, contact, email, "192.0.2.1"))).place == place


async def test_name_is_taken_once_without_regard_to_case(vendors):
    await vendors.register("Exempla", *CONTACT, "192.0.2.1")
    again = await problem_of(vendors.register("EXEMPLA", *CONTACT, "192.0.2.1"))
    assert (again.status, again.place) == (409, "name")


async def test_suspension_ends_sessions_and_sign_in_until_it_is_lifted(vendors, operator, browse, journal):
    vendor, key = await vendors.register("Exempla", *CONTACT, "192.0.2.9")
    browser = await browse()
    await sign_in(browser, key)
    await vendors.change(operator, vendor.vendor_id, VendorChange.SUSPENSION, "False statements")
    assert (await browser.http.get("/vendor/products")).headers["location"] == "/signin"
    suspended, unknown = await sign_in(browser, key, 400), await sign_in(browser, "B" * 43, 400)
    assert page_words(suspended) == page_words(unknown)
    assert SignInsEnded in {type(one) for one in await events_of(journal, SignInsEnded)}
    assert (await vendors.change(operator, vendor.vendor_id, VendorChange.RESUMPTION)).status is VendorStatus.ACCEPTED
    await sign_in(browser, key)


def page_words(answer):
    return answer.text.partition("<main")[2].replace("B" * 43, "")


async def test_signed_in_vendor_whose_account_is_suspended_meanwhile_sees_nothing(vendors, operator, vendor, browse):
    """Also where the session lives on: the pages ask for the account each time."""
    browser = await browse(vendor)
    await vendors.change(operator, vendor.id, VendorChange.SUSPENSION, "False statements")
    again = await browse(vendor)
    for one in (browser, again):
        for place in ("/vendor/products", "/vendor/runs", "/vendor/account"):
            assert (await one.http.get(place)).status_code == 303


async def test_replaced_key_ends_the_one_before_and_its_sessions(vendors, browse, journal):
    _, old = await vendors.register("Exempla", *CONTACT, "192.0.2.9")
    browser, other = await browse(), await browse()
    await sign_in(browser, old)
    await sign_in(other, old)
    shown = await browser.submit(await browser.get("/vendor/account"), "/vendor/account/key", 200)
    assert "does not work any more" in shown.text
    assert (await other.http.get("/vendor/products")).status_code == 303
    await sign_in(other, old, 400)
    new = next(word for word in shown.text.replace("<", ">").split(">") if len(word) == 43)
    await sign_in(other, new)
    assert len(await events_of(journal, VendorKeyReplaced)) >= 1


async def test_changes_follow_the_states_and_are_journalled(vendors, operator, journal):
    vendor, _ = await vendors.register("Exempla", *CONTACT, "192.0.2.1")
    id_ = vendor.vendor_id
    assert (await problem_of(vendors.change(operator, id_, VendorChange.RESUMPTION))).status == 409
    assert (await problem_of(vendors.change(operator, id_, VendorChange.SUSPENSION, " "))).place == "reason"
    await vendors.change(operator, id_, VendorChange.ACCEPTANCE)
    assert (await problem_of(vendors.change(operator, id_, VendorChange.ACCEPTANCE))).status == 409
    assert (await problem_of(vendors.change(operator, uuid7(), VendorChange.ACCEPTANCE))).status == 404
    found = [one for one in await events_of(journal, VendorRegistered, VendorChanged) if one.vendor_id == id_]
    assert [type(one) for one in found] == [VendorRegistered, VendorChanged] and found[1].change == "acceptance"
    assert "Vera" not in str(found)


async def test_others_than_operators_neither_see_nor_change_vendors(vendors, vendor):
    for stranger in (vendor, *(Requester(kind=kind, id=uuid7(), name="X") for kind in ("patient", "practitioner"))):
        for act in (
            vendors.search(stranger),
            vendors.find(stranger, vendor.id),
            vendors.change(stranger, vendor.id, VendorChange.ACCEPTANCE),
        ):
            assert (await problem_of(act)).status == 403


async def test_registration_that_nobody_accepts_is_deleted_in_time(
    vendors, conformance, operator, days_later, journal
):
    kept, _ = await vendors.register("Has a product", *CONTACT, "192.0.2.1")
    await conformance.register_product(kept.requester(), "Exempla", kept.name, kept.email)
    gone, _ = await vendors.register("Nothing", *CONTACT, "192.0.2.1")
    await vendors.tidy()
    assert len((await vendors.search(operator)).items) == 2
    await days_later(91)
    await vendors.tidy()
    assert [one.name for one in (await vendors.search(operator)).items] == ["Has a product"]
    assert gone.vendor_id in {one.vendor_id for one in await events_of(journal, VendorDeleted)}


async def test_vendor_registers_and_sees_own_software_only(conformance, vendors, vendor, operator):
    other = (await vendors.register("Other", *CONTACT, "192.0.2.1"))[0].requester()
    product = await conformance.register_product(vendor, "Exempla", vendor.name, "vera@vendor.example")
    version = await conformance.register_version(vendor, product.product_id, "1.0", ["mhd"])
    assert product.vendor_id == vendor.id
    assert [one.name for one, _ in (await conformance.search(vendor)).items] == ["Exempla"]
    assert (await conformance.search(other)).items == []
    for act in (
        conformance.find(other, product.product_id),
        conformance.find_version(other, version.version_id),
        conformance.register_version(other, product.product_id, "2.0", ["mhd"]),
    ):
        assert (await problem_of(act)).status == 404
    foreign = await conformance.register_product(operator, "Foreign", "Somebody", "")
    assert (await problem_of(conformance.find(vendor, foreign.product_id))).status == 404


async def test_version_uses_registered_clients_of_its_vendor_only(conformance, vendor, access):
    for client_id, maker in (("own-client", "VENDOR SA"), ("foreign-client", "Another")):
        scopes = frozenset({"user/DocumentReference.rs"})
        address = ("https://app.example/callback",)
        await access.clients.register(
            SoftwareClient(client_id=client_id, name="X", maker=maker, scopes=scopes, redirect_uris=address)
        )
    product = await conformance.register_product(vendor, "Exempla", vendor.name, "vera@vendor.example")
    for clients in ("foreign-client", "unknown", "own-client foreign-client"):
        refused = await problem_of(conformance.register_version(vendor, product.product_id, "1", ["mhd"], clients))
        assert (refused.status, refused.place) == (400, "clients")
    version = await conformance.register_version(vendor, product.product_id, "1", ["mhd"], " own-client  own-client ")
    assert version.clients == ("own-client",)
    ((found, _),) = (await conformance.find(vendor, product.product_id))[1]
    assert found.clients == ("own-client",)


async def test_session_of_a_vendor_opens_no_api(access, app, browse, vendor):
    """Vendors have pages; the API takes their session for none."""

    async def who(request):
        return JSONResponse({"kind": (await access.authenticate(request)).kind})

    app.router.routes.append(Route("/fhir/who", who))
    assert (await (await browse(vendor)).http.get("/fhir/who")).status_code == 401
    operator = Requester(kind="operator", id=uuid7(), name="Olga")
    assert (await (await browse(operator)).http.get("/fhir/who")).json() == {"kind": "operator"}
