"""Rules of all pages of access: sign-in, kinds of user, CSRF tokens, structure."""

from datetime import timedelta

import httpx
import pytest

from esante.core.storage import uuid7
from tests.identity.access.conftest import BASE


async def test_pages_without_session_redirect_to_sign_in(pages_app):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(pages_app), base_url=BASE) as http:
        for url in ("/sharing", "/sharing/people", "/log", "/log/proof.json", "/log/verifier.py", "/patients",
                    "/emergency", "/operator/reviews", f"/operator/reviews/{uuid7()}"):  # fmt: skip
            response = await http.get(url)
            assert (response.status_code, response.headers.get("location")) == (303, "/signin"), url
        for url in ("/sharing/close", "/sharing/code", "/patients/code", "/emergency"):
            response = await http.post(url, data={})
            assert (response.status_code, response.headers.get("location")) == (303, "/signin"), url


async def test_page_is_not_found_for_other_kinds_of_user(browse, house):
    patient = await browse(await house.open_patient())
    doctor = await browse(house.doctor)
    operator = await browse(house.operator)
    for user, urls in (
        (patient, ("/patients", "/emergency", "/operator/reviews")),
        (doctor, ("/sharing", "/log", "/log/proof.json", "/operator/reviews")),
        (operator, ("/sharing", "/log", "/patients", "/emergency")),
    ):
        for url in urls:
            await user.get(url, 404)


async def test_form_without_csrf_token_is_rejected(browse, house):
    patient = await house.open_patient()
    user = await browse(patient)
    for fields in ({}, {"_csrf": "wrong"}):
        response = await user.http.post("/sharing/close", data=fields)
        assert response.status_code == 403
    assert (await house.access.consent(patient.id)).state == "open"


@pytest.mark.parametrize("url", ["/sharing", "/log", "/sharing/people?for=block&q=a"])
async def test_pages_have_one_heading_unique_ids_and_nothing_inline(browse, house, url):
    patient = await house.open_patient()
    await house.access.grants.add_to_circle(patient, house.doctor.id)
    await house.access.codes.issue(patient, timedelta(hours=3))
    user = await browse(patient)
    page = await user.get(url)
    assert len(page.xpath("//h1")) == 1
    ids = page.xpath("//@id")
    assert len(ids) == len(set(ids))
    assert not page.xpath("//main//@style | //main//script | //main//style | //main//@*[starts-with(name(), 'on')]")
