"""The pages of members and sources: admission, contacts, keys, and what a contact may do."""

import re
from datetime import timedelta
from uuid import uuid4

from esante.services.soc.sources import source_store
from esante.services.soc.sources.model import SourceKind
from tests.support.directory_entries import an_organization
from tests.support.portal_browser import page_text
from tests.support.soc import NOON
from tests.support.soc_events import a_stored_event, store

OPERATOR, CONTACT = "/operator/soc", "/security"
KEY = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
HOSTILE = "<script>alert(1)</script>\"'{{7*7}}%(agency)s"


async def test_operator_admits_an_organisation_and_names_its_contact(world, browse):
    clinic = await world.directory.register_organization(an_organization(name="Clinique Zeta"))
    doctor = await world.professional(clinic)
    operator = await browse(world.anna)
    page = await operator.get(f"{OPERATOR}/members?organization=Zeta")
    assert "Clinique Zeta" in page_text(page)
    answer = await operator.submit(page, f"{OPERATOR}/members/admit")
    member = answer.headers["location"].partition("?")[0]
    page = await operator.get(member)
    assert "There is no source yet" in page_text(page) and "There is no contact yet" in page_text(page)
    page = await operator.get(f"{member}?professional={doctor.name.split()[-1]}")
    await operator.submit(page, f"{member}/contacts")
    assert (await world.tenants.scope_of(doctor)).tenant_id is not None
    page = await operator.get(member)
    assert doctor.name in page_text(page)
    await operator.submit(page, member, quota="250", active="yes")
    wrong = await operator.submit(page, member, 400, quota="0")
    assert "The quota is 1 to 100,000 events a second." in wrong.text
    assert 'value="250"' in (await operator.http.get(member)).text
    assert "Is a member" in page_text(await operator.get(f"{OPERATOR}/members?organization=Zeta"))


async def test_list_of_members_is_searched_and_says_when_nothing_is_found(world, browse):
    await world.member("Hôpital Alpha")
    operator = await browse(world.anna)
    assert "Hôpital Alpha" in page_text(await operator.get(f"{OPERATOR}/members?q=alpha"))
    assert "Nothing found" in page_text(await operator.get(f"{OPERATOR}/members?q=xyzzy&organization=xyzzy"))


async def test_contact_adds_a_source_and_sees_its_key_once(world, browse, sources):
    tenant, contact = await world.member("Hôpital Beta")
    browser = await browse(contact)
    assert (await browser.http.get(f"{CONTACT}/members")).headers[
        "location"
    ] == f"{CONTACT}/members/{tenant.tenant_id}"
    member = f"{CONTACT}/members/{tenant.tenant_id}"
    page = await browser.get(member)
    wrong = await browser.submit(page, f"{member}/sources", 400, name="x")
    assert "too short" in wrong.text
    added = await browser.submit(page, f"{member}/sources", name=f"Firewall {HOSTILE}", every="60")
    source = added.headers["location"].partition("?")[0]
    page = await browser.get(source)
    assert HOSTILE in page_text(page) and "<script>alert" not in (await browser.http.get(source)).text
    made = await browser.submit(page, f"{source}/keys", 200)
    (secret,) = re.findall(r'id="secret"[^>]*>([^<]+)<', made.text)
    assert f"Bearer {secret}" in made.text and f"key=\\&#34;{secret}" in made.text.replace('"', "&#34;")
    again = await browser.http.get(source)
    assert secret not in again.text and "works until" in again.text
    assert (await browser.http.get(f"{source}/keys")).headers["location"] == source
    (key,) = await sources.keys(contact, tenant.tenant_id, (await sources.all(contact, tenant.tenant_id))[0].source_id)
    await browser.submit(await browser.get(source), f"{source}/keys/{key.key_id}/revoke")
    assert "Disabled" in page_text(await browser.get(source))
    await browser.submit(await browser.get(source), f"{source}/end")
    assert "This source has ended" in page_text(await browser.get(source))


async def test_contact_changes_no_quota_and_no_contact(world, browse):
    tenant, contact = await world.member("Hôpital Gamma")
    browser = await browse(contact)
    member = f"{CONTACT}/members/{tenant.tenant_id}"
    page = await browser.get(member)
    assert not page.xpath("//input[@name='quota']") and page.xpath(
        "//form[contains(@action, '/contacts')]/@action"
    ) == [f"{member}/contacts/{contact.id}/address"], "only where they themselves get messages"
    token = page.xpath("//input[@name='_csrf']/@value")[0]
    for place in (f"{OPERATOR}/members/{tenant.tenant_id}", f"{OPERATOR}/members/admit"):
        assert (await browser.http.post(place, data={"_csrf": token, "quota": "9"})).status_code == 404
    assert (await browser.http.post(member, data={"_csrf": token, "quota": "9"})).status_code == 405


async def test_another_member_and_an_unknown_one_look_the_same_to_a_contact(world, browse, sources):
    _, contact = await world.member("Hôpital Delta")
    other, _ = await world.member("Hôpital Epsilon")
    theirs = await sources.add(world.anna, other.tenant_id, "Secret source", SourceKind.SYSLOG)
    browser = await browse(contact)
    for known, unknown in (
        (f"{CONTACT}/members/{other.tenant_id}", f"{CONTACT}/members/{uuid4()}"),
        (
            f"{CONTACT}/members/{other.tenant_id}/sources/{theirs.source_id}",
            f"{CONTACT}/members/{uuid4()}/sources/{uuid4()}",
        ),
    ):
        pages = [await browser.http.get(place) for place in (known, unknown)]
        assert [page.status_code for page in pages] == [404, 404]
        assert KEY.sub("", pages[0].text) == KEY.sub("", pages[1].text)


async def test_professional_who_is_no_contact_gets_not_found_everywhere(world, browse):
    tenant, _ = await world.member("Hôpital Eta")
    colleague = await world.professional(await world.directory.organization(tenant.organization_id))
    browser = await browse(colleague)
    for place in (f"{CONTACT}/members", f"{CONTACT}/events", f"{CONTACT}/members/{tenant.tenant_id}"):
        assert (await browser.http.get(place)).status_code == 404


async def test_source_shows_what_could_not_be_read_and_that_it_is_silent(world, browse, sources):
    tenant, contact = await world.member("Hôpital Theta")
    source = await sources.add(
        contact, tenant.tenant_id, "Router", SourceKind.SYSLOG, expected_every=timedelta(minutes=15)
    )
    broken = a_stored_event(tenant.tenant_id, text=f"broken {HOSTILE}", source_id=source.source_id, fault="no UTF-8")
    await store(world.db, broken)
    await source_store.count_events(world.db, {(tenant.tenant_id, source.source_id): (1, 1, NOON)})
    browser = await browse(contact)
    page = await browser.get(f"{CONTACT}/members/{tenant.tenant_id}/sources/{source.source_id}")
    assert "no UTF-8" in page_text(page) and HOSTILE in page_text(page)
    assert "Silent" in page_text(await browser.get(f"{CONTACT}/members/{tenant.tenant_id}"))
    assert await world.journal_count("soc.events_listed") == 1


async def test_certificate_that_is_none_is_refused_with_a_remedy(world, browse, sources):
    tenant, contact = await world.member("Hôpital Iota")
    source = await sources.add(contact, tenant.tenant_id, "Router", SourceKind.SYSLOG)
    browser = await browse(contact)
    place = f"{CONTACT}/members/{tenant.tenant_id}/sources/{source.source_id}"
    page = await browser.get(place)
    token = page.xpath("//input[@name='_csrf']/@value")[0]
    answer = await browser.http.post(
        f"{place}/certificates", data={"_csrf": token}, files={"certificate": ("x.pem", b"nothing", "text/plain")}
    )
    assert answer.status_code == 400 and "Choose a certificate in PEM form" in answer.text
