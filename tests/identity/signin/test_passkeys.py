"""Signing in with passkeys: what is accepted, and what an attacker might send."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esante.core.storage import NIL
from esante.identity.access import SignedIn, SignInRefused
from esante.identity.signin import PasskeyAdded, PasskeyRemoved
from esante.identity.signin.passkeys.relying_party import PasskeyRefused, RelyingParty
from tests.support.portal_browser import form_values, page_text
from tests.support.soft_authenticator import PRESENT, encode


async def last_refusal(journal):
    (entry,) = await journal.entries_of(NIL, [SignInRefused], limit=1)
    return entry.event


def session_of(answer):
    return answer.headers.get("set-cookie", "").partition("__Host-esante_session=")[2]


async def test_passkey_signs_in_and_leads_on(signin, house, journal):
    patient, device, _ = await signin.enrolled(house)
    browser = await signin.browser()
    answer = await signin.sign_in(browser, device, to="/sharing?x=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sharing?x=1")
    (entry,) = await journal.entries_of(patient.id, [SignedIn], limit=1)
    assert (entry.event.method, entry.event.assurance, entry.actor.id) == ("passkey", "substantial", patient.id)
    (kept,) = await signin.passkeys.list_of(patient.id)
    assert kept.sign_count == 1 and kept.used_at is not None


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x", "/\n/x"])
async def test_sign_in_leads_to_no_other_site(signin, house, to):
    _, device, _ = await signin.enrolled(house)
    answer = await signin.sign_in(await signin.browser(), device, to=to)
    assert answer.headers["location"] == "/"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"origin": "https://esante.example.evil.example"}, "invalid"),
        ({"origin": "http://esante.example"}, "invalid"),
        ({"challenge": encode(b"another challenge of 32 bytes...")}, "invalid"),
        ({"type": "webauthn.create"}, "invalid"),
        ({"flags": PRESENT}, "invalid"),
        ({"user_handle": b"x" * 16}, "holder"),
    ],
)
async def test_answer_that_is_not_for_this_sign_in_is_refused(signin, house, journal, changes, reason):
    patient, device, _ = await signin.enrolled(house)
    answer = await signin.sign_in(await signin.browser(), device, **changes)
    assert answer.status_code == 403 and not session_of(answer)
    refusal = await last_refusal(journal)
    assert (refusal.reason, refusal.subject) == (reason, str(patient.id))


async def test_answer_serves_once(signin, house, journal):
    _, device, _ = await signin.enrolled(house)
    browser = await signin.browser()
    passkey = device.sign(await signin.options(browser))
    cookie = browser.http.cookies.get("__Host-esante_signin")
    assert (await browser.http.post("/signin/passkey", data={"passkey": passkey})).status_code == 303
    again = await signin.browser()
    again.http.cookies.set("__Host-esante_signin", cookie)
    answer = await again.http.post("/signin/passkey", data={"passkey": passkey})
    assert answer.status_code == 403 and (await last_refusal(journal)).reason == "challenge"


async def test_answer_does_not_serve_in_another_browser(signin, house, journal):
    _, device, _ = await signin.enrolled(house)
    browser, other = await signin.browser(), await signin.browser()
    passkey = device.sign(await signin.options(browser))
    await signin.options(other)
    answer = await other.http.post("/signin/passkey", data={"passkey": passkey})
    assert answer.status_code == 403 and (await last_refusal(journal)).reason == "invalid"


@pytest.mark.parametrize("count", [0, 4, 5])
async def test_counter_that_does_not_grow_is_refused(signin, house, journal, count):
    _, device, _ = await signin.enrolled(house)
    assert (await signin.sign_in(await signin.browser(), device, count=5)).status_code == 303
    answer = await signin.sign_in(await signin.browser(), device, count=count)
    assert answer.status_code == 403 and (await last_refusal(journal)).reason == "counter"


async def test_authenticator_without_counter_signs_in_again(signin, house):
    _, device, _ = await signin.enrolled(house)
    for _ in range(2):
        assert (await signin.sign_in(await signin.browser(), device, count=0)).status_code == 303


async def test_form_of_another_site_is_refused(signin, house):
    browser = await signin.browser()
    for path in ("/signin/passkey/options", "/signin/passkey", "/activate", "/activate/passkey"):
        answer = await browser.http.post(path, data={}, headers={"sec-fetch-site": "cross-site"})
        assert answer.status_code == 403


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "id",
                        "rawId",
                        "type",
                        "response",
                        "clientDataJSON",
                        "attestationObject",
                        "authenticatorData",
                        "signature",
                        "userHandle",
                    ]
                ),
                inner,
                max_size=6,
            )
        ),
        max_leaves=12,
    )
)
@settings(max_examples=200)
def test_any_json_is_refused_or_parsed_and_nothing_else(content):
    party, text = RelyingParty("https://esante.example"), json.dumps(content)
    for check in (party.parse_assertion, lambda answer: party.check_creation(answer, b"x" * 32)):
        with contextlib.suppress(PasskeyRefused):
            check(text)


def test_loopback_number_is_called_localhost():
    assert RelyingParty("http://127.0.0.1:8000").origin == "http://localhost:8000"
    assert RelyingParty("https://dsp.example").id == "dsp.example"


async def test_confirmation_needs_ones_own_passkey(signin, house):
    patient, device, browser = await signin.enrolled(house)
    _, foreign, _ = await signin.enrolled(house)
    page = await browser.get("/signin/confirm?next=/sharing")
    token = form_values(page, "/signin/confirm")["_csrf"]
    passkey = foreign.sign(await signin.options(browser, token))
    data = {"_csrf": token, "next": "/sharing"}
    assert (await browser.http.post("/signin/confirm", data=data | {"passkey": passkey})).status_code == 403
    passkey = device.sign(await signin.options(browser, token))
    answer = await browser.http.post("/signin/confirm", data=data | {"passkey": passkey})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sharing")
    assert len(await signin.access.sessions.list_of(str(patient.id))) == 1


async def add_passkey(signin, browser, status=303, name="Laptop"):
    from tests.identity.signin.conftest import BASE, RP_ID, SoftAuthenticator

    page = await browser.get("/account")
    answer = await browser.http.post("/account/passkeys/new", data=form_values(page, "/account/passkeys/new"))
    from lxml import html

    (form,) = html.fromstring(answer.text).xpath("//form[@data-passkey='create']")
    device = SoftAuthenticator(BASE, RP_ID)
    data = dict(form.form_values()) | {"passkey": device.create(form.get("data-options")), "name": name}
    answer = await browser.http.post("/account/passkeys/add", data=data)
    assert answer.status_code == status, answer.text
    return device


async def test_second_passkey_is_added_renamed_and_removed(signin, house, journal):
    patient, _, browser = await signin.enrolled(house)
    device = await add_passkey(signin, browser)
    assert (await signin.sign_in(await signin.browser(), device)).status_code == 303
    page = await browser.get("/account")
    assert "Laptop" in page_text(page) and "My phone" in page_text(page)
    fields = {"passkey": device.id.hex(), "name": "Computer"}
    await browser.submit(page, "/account/passkeys/rename", **fields)
    await browser.submit(page, "/account/passkeys/remove", passkey=device.id.hex())
    assert "Computer" not in page_text(await browser.get("/account"))
    assert (await signin.sign_in(await signin.browser(), device)).status_code == 403
    assert len(await journal.entries_of(patient.id, [PasskeyAdded])) == 2
    assert len(await journal.entries_of(patient.id, [PasskeyRemoved])) == 1


async def test_last_passkey_and_that_of_another_cannot_be_removed(signin, house):
    _, device, browser = await signin.enrolled(house)
    _, foreign, _ = await signin.enrolled(house)
    token = form_values(await browser.get("/account"), "/account/passkeys/new")["_csrf"]
    for passkey, status in ((device.id, 409), (foreign.id, 404), (b"", 404)):
        data = {"_csrf": token, "passkey": passkey.hex(), "name": "x"}
        assert (await browser.http.post("/account/passkeys/remove", data=data)).status_code == status
    data = {"_csrf": token, "passkey": foreign.id.hex(), "name": "x"}
    assert (await browser.http.post("/account/passkeys/rename", data=data)).status_code == 404


async def test_session_is_ended_by_its_holder_only(signin, house):
    _, device, browser = await signin.enrolled(house)
    _, _, stranger = await signin.enrolled(house)
    other = await signin.browser()
    await signin.sign_in(other, device)
    page = await browser.get("/account")
    key = page.xpath("//form[@action='/account/sessions/end']//input[@name='session']/@value")
    assert len(key) == 1
    token = form_values(await stranger.get("/account"), "/account/passkeys/new")["_csrf"]
    data = {"_csrf": token, "session": key[0]}
    assert (await stranger.http.post("/account/sessions/end", data=data)).status_code == 404
    await browser.submit(page, "/account/sessions/end")
    assert (await other.http.get("/account")).status_code == 303


async def test_deceased_person_cannot_sign_in(signin, house, journal):
    from datetime import timedelta

    from esante.core import clock

    patient, device, _ = await signin.enrolled(house)
    await signin.directory.mark_deceased(patient.id, clock.now() - timedelta(days=1), actor=house.operator.actor)
    answer = await signin.sign_in(await signin.browser(), device)
    assert answer.status_code == 403 and (await last_refusal(journal)).reason == "ended"


@pytest.mark.parametrize(
    ("method", "assurance", "status"),
    [("oidc", "low", 403), ("oidc", "", 403), ("oidc", "substantial", 200), ("demo", "", 200)],
)
async def test_passkey_is_not_added_from_a_lower_level(signin, house, method, assurance, status):
    patient = await house.open_patient()
    browser = await signin.browser(patient, method=method, assurance=assurance)
    page = await browser.get("/account")
    answer = await browser.http.post("/account/passkeys/new", data=form_values(page, "/account/passkeys/new"))
    assert answer.status_code == status
    data = form_values(page, "/account/passkeys/new") | {"passkey": "{}", "name": "x"}
    assert (await browser.http.post("/account/passkeys/add", data=data)).status_code == (403 if status == 403 else 400)
