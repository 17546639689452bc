"""The pages, in a browser without JavaScript: what they show, what their forms do, what they refuse."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from lxml import html
from starlette.applications import Starlette
from starlette.routing import Route

from esante.core.journal import Actor, event
from esante.core.storage import uuid7
from esante.core.web import HANDLERS
from esante.identity.access import AccessEvent, Requester, page_routes

from .conftest import BASE, within_one_window

HOSTILE = "<script>alert(1)</script>\"'{{7*7}}%(actor)s"
CATEGORIES = {"letter": "Letter"}


@event("test.access_page_seen")
class Seen(AccessEvent, frozen=True, kw_only=True):
    """A document was opened."""


class Browser:
    """Signed in as somebody; sends forms with the token of the page they stand on."""

    def __init__(self, http):
        self.http = http

    async def get(self, url, status=200):
        answer = await self.http.get(url)
        assert answer.status_code == status, answer.text
        return html.fromstring(answer.text) if answer.text else None

    async def send(self, page, action, status=303, **fields):
        """Fill in the form of `page` that goes to `action`."""
        answer = await self.http.post(action, data=form_of(page, action) | fields)
        assert answer.status_code == status, answer.text
        return answer


def form_of(page, action):
    found = [
        form for form in page.forms if form.get("action") == action or (form.get("action") is None and not action)
    ]
    assert found, f"no form goes to {action}"
    return dict(found[0].form_values())


def text(page):
    return " ".join(page.xpath("//main")[0].text_content().split())


@pytest.fixture(scope="module")
def app(house, journal, directory):
    asking = {}

    async def become(request):
        return await house.access.sign_in(request, asking["requester"], method="demo")

    routes = [
        Route("/become", become, methods=["POST"]),
        *page_routes(house.access, journal, directory, CATEGORIES),
    ]
    found = Starlette(routes=routes, exception_handlers=HANDLERS)
    found.state.sessions = house.access.sessions
    found.state.asking = asking
    return found


@pytest.fixture
async def browse(app):
    """`await browse(requester)` is a browser in which he or she signed in."""
    clients = []

    async def signed_in(requester: Requester) -> Browser:
        http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE, headers={"Accept-Language": "en"})
        clients.append(http)
        app.state.asking["requester"] = requester
        await http.post("/become")
        return Browser(http)

    yield signed_in
    for http in clients:
        await http.aclose()


async def test_every_page_sends_strangers_to_sign_in(app):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as http:
        for url in ("/sharing", "/sharing/people", "/log", "/log/proof.json", "/log/verifier.py", "/patients",
                    "/emergency", "/operator/reviews", f"/operator/reviews/{uuid7()}"):  # fmt: skip
            answer = await http.get(url)
            assert (answer.status_code, answer.headers.get("location")) == (303, "/signin"), url
        for url in ("/sharing/close", "/sharing/code", "/patients/code", "/emergency"):
            answer = await http.post(url, data={})
            assert (answer.status_code, answer.headers.get("location")) == (303, "/signin"), url


async def test_a_page_is_there_for_its_users_only(browse, house):
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


async def test_a_form_without_its_token_does_nothing(browse, house):
    patient = await house.open_patient()
    user = await browse(patient)
    for fields in ({}, {"_csrf": "wrong"}):
        answer = await user.http.post("/sharing/close", data=fields)
        assert answer.status_code == 403
    assert (await house.access.consent(patient.id)).state == "open"


async def test_from_the_code_on_her_screen_to_the_doctors_list_and_back(browse, house, fresh):
    patient = await house.open_patient()
    user = await browse(patient)
    page = await user.get("/sharing")
    assert form_of(page, "/sharing/code")["hours"] == "24"
    answer = await user.send(page, "/sharing/code", 200, hours="168")
    assert answer.headers["cache-control"] == "no-store"
    shown = html.fromstring(answer.text)
    code = shown.xpath("//*[contains(@class, 'code-card')]//*[contains(concat(' ', @class, ' '), ' code ')]")[0].text
    assert re.fullmatch(r"\w{4}-\w{4}", code)
    (qr,) = shown.xpath("//*[contains(@class, 'qr')]//*[local-name() = 'svg']")
    version_1_with_its_quiet_zone = 21 + 2 * 4
    assert qr.get("viewbox") == f"0 0 {version_1_with_its_quiet_zone} {version_1_with_its_quiet_zone}"
    assert qr.get("width") is None

    doctor = await browse(house.doctor)
    entered = await doctor.send(await doctor.get("/patients"), "/patients/code", code=code.lower())
    assert entered.headers["location"] == f"/patients/{patient.id}"
    listed = await doctor.get(f"/patients?q={patient.name.split()[-1]}")
    assert patient.name in text(listed) and "Presence code" in text(listed)
    assert f"/patients/{patient.id}" in listed.xpath("//table//a/@href")

    sharing = await user.get("/sharing")
    assert house.doctor.name in text(sharing)
    await user.send(sharing, "/sharing/revoke")
    assert "Nobody" in text(await user.get("/sharing"))
    assert patient.name not in text(await doctor.get("/patients"))


async def test_a_wrong_code_is_told_beside_its_field_and_too_many_are_stopped(browse, house, directory):
    doctor = await browse(replace(house.other_doctor, id=uuid7()))
    page = await doctor.get("/patients")
    await within_one_window()
    statuses = [(await doctor.http.post("/patients/code", data=form_of(page, "/patients/code") | {"code": HOSTILE}))
                for _ in range(11)]  # fmt: skip
    assert [answer.status_code for answer in statuses] == [404] * 10 + [429]
    assert int(statuses[-1].headers["retry-after"]) > 0
    first = html.fromstring(statuses[0].text)
    assert first.xpath("//input[@name = 'code' and @aria-invalid = 'true']")
    assert "does not serve" in text(first)


@pytest.mark.parametrize("hours", ["", "0", "-1", "8761", "99999", "1e3", "٢٤", "24; DROP", "x" * 1_000])
async def test_a_code_of_an_impossible_length_is_refused(browse, house, hours):
    patient = await house.open_patient()
    user = await browse(patient)
    await user.send(await user.get("/sharing"), "/sharing/code", 400, hours=hours)


async def test_the_circle_is_found_by_name_and_shown_with_its_effect(browse, house):
    patient = await house.open_patient()
    user = await browse(patient)
    found = await user.get("/sharing/people?for=circle&q=Weber")
    assert house.doctor.name in text(found) and "Doctor" in text(found)
    assert "restricted ones too" in text(found)
    await user.send(found, "/sharing/circle")
    sharing = await user.get("/sharing")
    assert "Circle" in text(sharing) and "until you revoke it" in text(sharing)
    assert "Nobody found" in text(await user.get("/sharing/people?for=circle&q=Zzyzx"))
    await user.get("/sharing/people?for=theft", 404)


async def test_an_organisation_is_blocked_and_the_block_lifted(browse, house):
    patient = await house.open_patient()
    user = await browse(patient)
    found = await user.get("/sharing/people?for=block&q=Hôpital")
    await user.send(found, "/sharing/block")
    sharing = await user.get("/sharing")
    assert house.hospital.name in text(sharing)
    assert (await house.access.consent(patient.id)).blocked == {house.hospital.id}
    await user.send(sharing, "/sharing/unblock")
    assert (await house.access.consent(patient.id)).blocked == frozenset()


async def test_the_record_is_closed_opened_and_opted_out_on_its_page(browse, house):
    patient = await house.open_patient()
    user = await browse(patient)
    page = await user.get("/sharing")
    for act, state, sharing in (
        ("close", "closed", True),
        ("reopen", "open", True),
        ("stop", "open", False),
        ("start", "open", True),
    ):
        await user.send(page, f"/sharing/{act}")
        consent = await house.access.consent(patient.id)
        assert (consent.state, consent.sharing) == (state, sharing)
        page = await user.get("/sharing")


async def test_before_opening_she_may_object_and_without_a_record_there_is_nothing_to_do(browse, house):
    patient = await house.patient()
    user = await browse(patient)
    assert not (await user.get("/sharing")).xpath("//main//form")
    await house.access.lifecycle.announce([patient.id])
    page = await user.get("/sharing")
    assert "opens by itself" in text(page)
    await user.send(page, "/sharing/object")
    assert (await house.access.consent(patient.id)).state == "objected"


@pytest.mark.parametrize(
    ("act", "fields", "status"),
    [
        ("explode", {}, 404),
        ("revoke", {"grant": "x"}, 400),
        ("revoke", {}, 400),
        ("revoke", {"grant": str(uuid7())}, 404),
        ("circle", {"subject": str(uuid7())}, 404),
        ("circle", {"subject": HOSTILE}, 400),
        ("block", {"subject": str(uuid7()), "kind": "planet"}, 404),
        ("reopen", {}, 303),
    ],
)
async def test_forms_that_nobody_was_shown(browse, house, act, fields, status):
    patient = await house.open_patient()
    user = await browse(patient)
    page = await user.get("/sharing")
    token = form_of(page, "/sharing/code")["_csrf"]
    answer = await user.http.post(f"/sharing/{act}", data={"_csrf": token} | fields)
    assert answer.status_code == status
    assert HOSTILE not in answer.text
    assert (await house.access.consent(patient.id)).grants == ()


async def test_an_emergency_needs_confirmation_and_its_reason_reaches_patient_and_operator(browse, house):
    patient = await house.open_patient()
    doctor = await browse(house.other_doctor)
    page = await doctor.get("/emergency")
    assert "told at once" in text(page)
    fields = {
        "identifier": await house.identifier(patient),
        "birth_date": "1970-05-17",
        "reason": f"Unconscious {HOSTILE}",
    }
    await doctor.send(page, "/emergency", 400, **fields)
    assert (await house.access.consent(patient.id)).grants == ()
    opened = await doctor.send(page, "/emergency", confirmed="yes", **fields)
    assert opened.headers["location"] == f"/patients/{patient.id}"

    user = await browse(patient)
    log = await user.http.get("/log?kind=emergency")
    assert HOSTILE not in log.text
    assert HOSTILE in text(html.fromstring(log.text))

    operator = await browse(house.operator)
    queue = await operator.get("/operator/reviews")
    (url,) = [found for found in queue.xpath("//main//a/@href") if "reviews/" in found][:1]
    review = await operator.get(url)
    assert house.other_doctor.name in text(review) and patient.name in text(review)
    token = {"_csrf": review.xpath("//main//input[@name = '_csrf']/@value")[0]}
    wrong = await operator.http.post(url, data={**token, "verdict": "perhaps"})
    assert wrong.status_code == 400
    done = await operator.http.post(url, data={**token, "verdict": "justified", "note": HOSTILE})
    assert done.status_code == 303
    assert (await operator.http.post(url, data={**token, "verdict": "justified"})).status_code == 409
    reviewed = await operator.http.get(url)
    assert HOSTILE not in reviewed.text and not html.fromstring(reviewed.text).xpath("//main//form")
    assert "Justified" in text(await operator.get("/operator/reviews?done=1"))
    await operator.get(f"/operator/reviews/{uuid7()}", 404)
    await operator.get("/operator/reviews/x", 404)


@pytest.mark.parametrize(
    ("field", "value"), [("birth_date", "17.5.1970"), ("birth_date", ""), ("reason", "no"), ("identifier", HOSTILE)]
)
async def test_an_emergency_form_says_beside_the_field_what_is_wrong(browse, house, field, value):
    patient = await house.open_patient()
    doctor = await browse(house.other_doctor)
    fields = {
        "identifier": await house.identifier(patient),
        "birth_date": "1970-05-17",
        "reason": "Unconscious after a fall",
        "confirmed": "yes",
    }
    answer = await doctor.http.post(
        "/emergency", data=form_of(await doctor.get("/emergency"), "/emergency") | fields | {field: value}
    )
    assert answer.status_code in (400, 404)
    page = html.fromstring(answer.text)
    assert page.xpath(f"//*[@name = '{field}' and @aria-invalid = 'true']")
    kept = page.xpath("//textarea[@name = 'reason']")[0].text_content().strip()
    assert kept == (value if field == "reason" else fields["reason"])


async def test_who_looked_is_told_filtered_and_paged(browse, house, journal):
    patient = await house.open_patient()
    actor = Actor(kind="practitioner", id=uuid7(), name="Dr Weber", role="doctor", organization="Hôpital du Nord")
    for number in range(60):
        told = Seen(categories=("letter",), documents=(uuid7(),), allowed=number % 10 > 0, reason="no-grant")
        await journal.append(told, person_id=patient.id, actor=actor, origin="192.0.2.7")
    user = await browse(patient)
    page = await user.get("/log?kind=looked")
    lines = page.xpath("//ol[contains(@class, 'timeline')]/li")
    assert len(lines) == 25
    assert "Dr Weber looked into your record: Letter." in text(page) and "Doctor" in text(page)
    seen = len(lines)
    while older := page.xpath("//a[@rel = 'next']/@href"):
        page = await user.get(older[0])
        seen += len(page.xpath("//ol[contains(@class, 'timeline')]/li"))
    assert seen == 60
    refused = await user.get("/log?kind=refused")
    assert len(refused.xpath("//ol[contains(@class, 'timeline')]/li")) == 6
    assert "Refused" in text(refused)
    assert len((await user.get("/log?q=opened")).xpath("//ol[contains(@class, 'timeline')]/li")) == 1
    assert "Nothing fits" in text(await user.get("/log?q=Klein"))
    await user.get("/log?kind=secret", 404)
    for cursor in ("x", "WyJ4Il0", "%00"):
        assert (await user.http.get(f"/log?cursor={cursor}")).status_code in (400, 404)


async def test_an_untouched_log_says_so(browse, house):
    user = await browse(await house.patient())
    page = await user.get("/log?kind=documents")
    assert "Nothing fits" in text(page)


def verified(folder):
    run = [sys.executable, "verifier.py", "proof.json"]
    return subprocess.run(run, cwd=folder, capture_output=True, check=False).returncode


async def test_the_proof_and_the_verifier_come_as_files_and_the_one_verifies_the_other(
    browse, house, journal, tmp_path
):
    patient = await house.open_patient()
    user = await browse(patient)
    await user.get("/log")
    await journal.sealer.seal_all()
    for name in ("proof.json", "verifier.py"):
        answer = await user.http.get(f"/log/{name}")
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
        (tmp_path / name).write_bytes(answer.content)
    assert verified(tmp_path) == 0
    proof = json.loads((tmp_path / "proof.json").read_text())
    assert proof["person"] == str(patient.id)
    del proof["entries"][0]
    (tmp_path / "proof.json").write_text(json.dumps(proof))
    assert verified(tmp_path) == 1


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
