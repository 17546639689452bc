"""Levels of assurance, and the confirmation before sensitive acts."""

from dataclasses import replace
from datetime import date, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from esante.core import clock
from esante.core.storage import NIL
from esante.core.web import read_form
from esante.identity.access import AuthenticationConfirmed, SignedIn, SignInRefused, assurance_rules
from esante.identity.access.authn.assurance import ASSURANCE_LEVELS
from esante.identity.access.authn.devices import device_of
from esante.identity.access.authn.requesters import principal_of, requester_from_principal
from esante.identity.access.model import Authentication
from tests.support.authentications import as_demo, with_passkey
from tests.support.signed_in_pages import application_of, browsers_of

RULES = assurance_rules(date(2026, 11, 30))
SENSITIVE = "/care-abroad/allow"


def of(**changes):
    return Authentication(**{"method": "passkey", "at": clock.now(), "assurance": "substantial"} | changes)


@pytest.mark.parametrize("level", ASSURANCE_LEVELS)
@pytest.mark.parametrize("kind", ["patient", "practitioner", "operator"])
def test_level_below_the_lowest_of_a_kind_is_not_admitted(kind, level):
    lowest = RULES.lowest[kind]
    assert RULES.admits(kind, of(assurance=level)) == (ASSURANCE_LEVELS.index(level) >= ASSURANCE_LEVELS.index(lowest))


def test_demo_needs_no_level():
    assert RULES.admits("practitioner", of(method="demo", assurance=""))


@pytest.mark.parametrize(
    ("path", "ago", "asked"),
    [
        (SENSITIVE, timedelta(minutes=4), False),
        (SENSITIVE, timedelta(minutes=6), True),
        ("/account/passkeys/remove", timedelta(minutes=6), True),
        ("/account/passkeys/a/b", timedelta(minutes=6), False),
        ("/account/passkeys/", timedelta(minutes=6), False),
        ("/care-abroad/allowed", timedelta(hours=7), False),
    ],
)
def test_old_authentication_is_asked_for_again_before_a_sensitive_act(path, ago, asked):
    found = RULES.step_up(path, of(at=clock.now() - ago), clock.now())
    assert (found is not None) == asked


def test_session_without_authentication_is_asked_and_demo_is_not():
    assert RULES.step_up(SENSITIVE, None, clock.now()) is not None
    assert RULES.step_up(SENSITIVE, of(method="demo", at=clock.now() - timedelta(hours=7)), clock.now()) is None


def test_authentication_survives_in_the_principal(house):
    found = with_passkey(house.doctor)
    assert requester_from_principal(principal_of(found)).authentication == found.authentication
    assert requester_from_principal(principal_of(house.doctor)).authentication is None


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox, Linux"),
        (
            "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Mobile Safari/537.36",
            "Chrome, Android",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X) AppleWebKit/605 Version/18.4 Mobile Safari/604.1",
            "Safari, iPhone",
        ),
        ("curl/8", ""),
        ("", ""),
    ],
)
def test_device_is_named_by_browser_and_system(agent, device):
    assert device_of(Request({"type": "http", "headers": [(b"user-agent", agent.encode())]})) == device


@pytest.fixture
async def visit(access):
    """Browsers of an application with a sensitive act of patients."""

    async def act(request):
        await access.page_requester(request, kinds=("patient",))
        await read_form(request)
        return JSONResponse({"done": True})

    async def start(request):
        found = app.state.asking["requester"]
        how = found.authentication
        return await access.sign_in(request, found, method=how.method, assurance=how.assurance, to="/x")

    async def confirm(request):
        return await access.confirm(request, method="passkey", assurance="substantial", to="/x")

    routes = [
        Route(SENSITIVE, act, methods=["GET", "POST"]),
        Route("/start", start, methods=["POST"]),
        Route("/confirm", confirm, methods=["POST"]),
    ]
    app = application_of(access, routes)
    async with browsers_of(app) as visit:
        visit.app = app
        yield visit


async def test_sensitive_act_leads_to_confirmation_and_back_to_its_own_page(access, house, visit):
    patient = await house.open_patient()
    browser = await visit()
    value = await access.sessions.create(principal_of(with_passkey(patient, ago=timedelta(minutes=6))))
    browser.http.cookies.set("__Host-esante_session", value)
    for referer, to in (("https://esante.example/care-abroad?x=1", "/care-abroad"), ("https://evil.example//x", "/")):
        answer = await browser.http.post(SENSITIVE, headers={"referer": referer})
        place = urlsplit(answer.headers["location"])
        assert (answer.status_code, place.path, parse_qs(place.query)) == (303, "/signin/confirm", {"next": [to]})
    assert (await browser.http.get(SENSITIVE)).status_code != 303


async def test_confirmation_replaces_the_session_and_is_journalled(access, house, visit, journal):
    patient = await house.open_patient()
    browser = await visit()
    before = await access.sessions.create(principal_of(with_passkey(patient, ago=timedelta(minutes=6))))
    browser.http.cookies.set("__Host-esante_session", before)
    answer = await browser.http.post("/confirm")
    assert answer.status_code == 303
    (session,) = await access.sessions.list_of(str(patient.id))
    found = requester_from_principal(session.principal)
    assert clock.now() - found.authentication.at < timedelta(minutes=1)
    assert before not in answer.headers["set-cookie"]
    (entry,) = await journal.entries_of(patient.id, [AuthenticationConfirmed], limit=1)
    assert entry.event.assurance == "substantial"


async def test_sign_in_below_the_lowest_level_is_refused_and_journalled(access, house, visit, journal):
    doctor = replace(house.doctor, authentication=of(method="oidc", assurance="low"))
    visit.app.state.asking["requester"] = doctor
    browser = await visit()
    answer = await browser.http.post("/start")
    assert answer.status_code == 403 and "set-cookie" not in answer.headers
    (entry,) = await journal.entries_of(NIL, [SignInRefused], limit=1)
    assert (entry.event.reason, entry.event.subject) == ("assurance", str(doctor.id))


async def test_sign_in_keeps_level_and_method_in_session_and_journal(access, house, visit, journal):
    patient = await house.open_patient()
    visit.app.state.asking["requester"] = with_passkey(patient)
    browser = await visit()
    assert (await browser.http.post("/start")).status_code == 303
    (session,) = await access.sessions.list_of(str(patient.id))
    how = requester_from_principal(session.principal).authentication
    assert (how.method, how.assurance) == ("passkey", "substantial")
    (entry,) = await journal.entries_of(patient.id, [SignedIn], limit=1)
    assert (entry.event.method, entry.event.assurance) == ("passkey", "substantial")


async def test_session_that_was_planted_is_not_the_one_after_sign_in(access, house, visit):
    planted = await access.sessions.create(principal_of(as_demo(house.doctor)))
    patient = await house.open_patient()
    visit.app.state.asking["requester"] = with_passkey(patient)
    browser = await visit()
    browser.http.cookies.set("__Host-esante_session", planted)
    answer = await browser.http.post("/start")
    assert answer.status_code == 303 and planted not in answer.headers["set-cookie"]
    assert planted not in str(await access.sessions.list_of(str(house.doctor.id)))
    assert [one.key for one in await access.sessions.list_of(str(house.doctor.id))] == []


async def test_going_on_as_another_does_not_lengthen_the_session(access, house, visit):
    doctor = with_passkey(house.doctor, ago=timedelta(hours=7))
    browser = await visit()
    browser.http.cookies.set("__Host-esante_session", await access.sessions.create(principal_of(doctor)))
    visit.app.state.asking["requester"] = replace(house.doctor, authentication=of(method="workplace"))
    assert (await browser.http.post("/start")).status_code == 303
    (session,) = await access.sessions.list_of(str(house.doctor.id))
    assert timedelta(minutes=59) < session.expires_at - clock.now() < timedelta(minutes=61)
