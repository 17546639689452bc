"""Pages of professionals: presence codes and emergencies."""

from dataclasses import replace

import pytest
from lxml import html

from esante.core.storage import uuid7
from tests.identity.access.conftest import within_one_window
from tests.support.portal_browser import form_values, page_text

HOSTILE_TEXT = "<script>alert(1)</script>\"'{{7*7}}%(actor)s"


async def test_wrong_code_is_shown_at_its_field_and_attempts_are_limited(browse, house, directory):
    doctor = await browse(replace(house.other_doctor, id=uuid7()))
    page = await doctor.get("/patients")
    await within_one_window()
    responses = [(await doctor.http.post("/patients/code", data=form_values(page, "/patients/code") | {"code": HOSTILE_TEXT}))
                for _ in range(11)]  # fmt: skip
    assert [response.status_code for response in responses] == [404] * 10 + [429]
    assert int(responses[-1].headers["retry-after"]) > 0
    first = html.fromstring(responses[0].text)
    assert first.xpath("//input[@name = 'code' and @aria-invalid = 'true']")
    assert "This code is not valid" in page_text(first)


@pytest.mark.parametrize(
    ("field", "value"),
    [("birth_date", "17.5.1970"), ("birth_date", ""), ("reason", "no"), ("identifier", HOSTILE_TEXT)],
)
async def test_invalid_emergency_field_is_marked(browse, house, field, value):
    patient = await house.open_patient()
    doctor = await browse(house.other_doctor)
    fields = {
        "identifier": await house.identifier(patient),
        "birth_date": "1970-05-17",
        "reason": "Unconscious after a fall",
        "confirmed": "yes",
    }
    response = await doctor.http.post(
        "/emergency", data=form_values(await doctor.get("/emergency"), "/emergency") | fields | {field: value}
    )
    assert response.status_code in (400, 404)
    page = html.fromstring(response.text)
    assert page.xpath(f"//*[@name = '{field}' and @aria-invalid = 'true']")
    kept = page.xpath("//textarea[@name = 'reason']")[0].text_content().strip()
    assert kept == (value if field == "reason" else fields["reason"])


async def test_patients_are_listed_by_newest_access_or_by_name(browse, house, fresh):
    doctor = fresh(house.doctor)
    for family in ("Zenner", "Äppel", "Muller"):
        patient = await house.open_patient(family=family)
        code = await house.access.codes.issue(patient)
        await house.access.codes.redeem(doctor, code)
    user = await browse(replace(doctor, organization_id=None))
    newest = (await user.get("/patients")).xpath("//tbody//th/a/text()")
    assert [name.split()[-1] for name in newest] == ["Muller", "Äppel", "Zenner"]
    page = await user.get("/patients?order=name")
    assert page.xpath("//tbody//th/a/text()") == ["Äppel, Anna", "Muller, Anna", "Zenner, Anna"]
    assert "56 years old, female" in page_text(page)
    assert page.xpath("//nav[@class = 'tabs']/a[@aria-current]/text()") == ["By name, A to Z"]
