"""Apps: a person is asked, allows, refuses and revokes; a professional opens one for a patient; nothing else passes."""

import asyncio
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from lxml import html

from esante.core.storage import NIL, uuid7
from esante.identity.access import AppAllowed, AppEnded, AppRefused, SoftwareClient
from esante.identity.access.smart.authorization_request import REQUEST_PARAMETERS

from .conftest import BASE
from .launches import (
    CALLBACK,
    CONFIDENTIAL_CALLBACK,
    EVERYTHING,
    FHIR,
    LAUNCH,
    App,
    Person,
    consent_fields,
    onward,
    text_of,
    the_app,
)

MAKER = "Société <b>Exemple</b> & Fils"
LAB = "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory"


@pytest.fixture(scope="module")
def key():
    return ECKey.generate_key("P-384", {"kid": "ec-1"})


@pytest.fixture(scope="module")
async def registered(house, key):
    """A public app, one on this machine, and a confidential one that the portal can open."""
    public = SoftwareClient(
        client_id="sample", name="Sample <i>App</i>", maker=MAKER, scopes=EVERYTHING, redirect_uris=(CALLBACK,)
    )
    local = replace(public, client_id="local", redirect_uris=("http://127.0.0.1:9090/cb",))
    confidential = replace(
        public,
        client_id="clinic",
        name="Clinic",
        jwks={"keys": [key.as_dict(private=False)]},
        redirect_uris=(CONFIDENTIAL_CALLBACK,),
        launch_url=LAUNCH,
    )
    for client in (public, local, confidential):
        await house.access.clients.register(client)
    return public, local, confidential


@pytest.fixture(scope="module")
def platform(house, journal, registered):
    return the_app(house, journal)


@pytest.fixture
async def browser(platform):
    """Makes HTTP clients of the platform."""
    made = []

    def new():
        transport = httpx.ASGITransport(platform)
        made.append(httpx.AsyncClient(transport=transport, base_url=BASE, headers={"Accept-Language": "en"}))
        return made[-1]

    yield new
    for http in made:
        await http.aclose()


@pytest.fixture
def signed_in(platform, browser):
    async def enter(requester):
        http = browser()
        platform.state.asking["requester"] = requester
        await http.post("/become")
        return Person(http)

    return enter


@pytest.fixture
def app(browser):
    return App(browser(), "sample", CALLBACK)


@pytest.fixture
def clinic(browser, key):
    return App(browser(), "clinic", CONFIDENTIAL_CALLBACK, key)


# A patient and an app


async def test_a_patient_lets_an_app_see_her_record(house, signed_in, app):
    anna = await house.open_patient()
    she = await signed_in(anna)
    page = await she.opens(app)
    shown = text_of(page)
    assert "Sample <i>App</i> asks for access" in shown and MAKER in shown
    assert "app.example" in shown and anna.name in shown
    assert "See: Everything in the record" in shown and "Know who you are" in shown
    assert page.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]

    code = app.answered(await she.answers(page))["code"]
    body = (await app.exchange(code)).json()
    assert set(body) == {
        "access_token", "token_type", "expires_in", "scope", "patient", "need_patient_banner", "id_token",
    }  # fmt: skip
    assert (body["token_type"], body["patient"], body["expires_in"]) == ("Bearer", str(anna.id), 3_600)
    assert set(body["scope"].split()) == {"launch/patient", "patient/*.rs", "openid", "fhirUser"}
    who = (await app.reads(body["access_token"])).json()
    assert who == {"kind": "patient", "id": str(anna.id), "only": str(anna.id), "client": "Sample <i>App</i>",
                   "within": [[]]}  # fmt: skip


async def test_the_id_token_is_signed_by_a_published_key(house, signed_in, app):
    anna = await house.open_patient()
    she = await signed_in(anna)
    code = app.answered(await she.answers(await she.opens(app, nonce="n-1")))["code"]
    signed = (await app.exchange(code)).json()["id_token"]
    found = (await app.http.get("/.well-known/openid-configuration")).json()
    keys = KeySet.import_key_set((await app.http.get(urlsplit(found["jwks_uri"]).path)).json())
    token = jwt.decode(signed, keys, algorithms=["RS256"])
    assert found["issuer"] == token.claims["iss"] == BASE
    assert (token.claims["aud"], token.claims["nonce"], token.claims["sub"]) == ("sample", "n-1", str(anna.id))
    assert token.claims["fhirUser"] == f"{FHIR}/Patient/{anna.id}"
    assert token.claims["exp"] - token.claims["iat"] == 300
    assert "d" not in keys.as_dict()["keys"][0]


async def test_she_takes_out_what_she_does_not_want(house, signed_in, app):
    she = await signed_in(await house.open_patient())
    app.scope = f"launch/patient patient/DocumentReference.rs {LAB} openid fhirUser offline_access"
    page = await she.opens(app)
    assert "See: Measurements and test results, only: laboratory results" in text_of(page)
    code = app.answered(await she.answers(page, without=["patient/DocumentReference.rs", "openid", "fhirUser"]))
    body = (await app.exchange(code["code"])).json()
    assert set(body["scope"].split()) == {"launch/patient", LAB, "offline_access"}
    assert "id_token" not in body
    assert (await app.reads(body["access_token"])).status_code == 403
    seen = (await app.reads(body["access_token"], "Observation")).json()
    assert seen["within"] == [[LAB.partition("?")[2].split("=", 1)]]


async def test_nothing_chosen_is_asked_again_and_no_more_is_given_than_was_asked(house, signed_in, app):
    she = await signed_in(await house.open_patient())
    app.scope = "launch/patient patient/Patient.rs"
    again = await she.answers(await she.opens(app), only=[])
    page = await she.http.get(again)
    assert "Nothing is chosen." in text_of(page)
    more = ["patient/Patient.rs", "patient/*.cruds", "user/*.rs", "system/*.rs", "__introspect", "openid"]
    body = (await app.exchange(app.answered(await she.answers(page, only=more))["code"])).json()
    assert set(body["scope"].split()) == {"launch/patient", "patient/Patient.rs"}


async def test_she_refuses(house, signed_in, app, journal):
    anna = await house.open_patient()
    she = await signed_in(anna)
    answer = app.answered(await she.answers(await she.opens(app), decision="refuse"))
    assert answer["error"] == "access_denied"
    assert "code" not in answer
    [told] = await journal.entries_of(anna.id, [AppRefused])
    assert (told.event.client_id, told.actor.id) == ("sample", anna.id)
    assert "You refused the app Sample <i>App</i>." in text_of(await she.http.get("/log?kind=sharing"))


async def test_a_stranger_signs_in_first_and_comes_back_to_the_question(house, platform, browser, app):
    anna = await house.open_patient()
    http = browser()
    answer = await Person(http).opens(app)
    assert answer.status_code == 303
    where = urlsplit(answer.headers["location"])
    assert where.path == "/signin" and not where.netloc
    following = dict(parse_qsl(where.query))["next"]
    assert following.startswith("/oauth/authorize?")
    platform.state.asking["requester"] = anna
    await http.post("/become")
    assert dict(consent_fields(await http.get(following)))["state"] == app.state


async def test_a_request_may_come_as_a_form_from_another_site(house, signed_in, app):
    she = await signed_in(await house.open_patient())
    answer = await she.http.post("/oauth/authorize", data=app.wish(), headers={"Origin": "https://app.example"})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/oauth/authorize?")
    assert consent_fields(await she.http.get(answer.headers["location"]))


async def test_only_patients_and_professionals_use_apps(house, signed_in, app):
    for requester in (house.operator, house.software):
        answer = app.answered(onward(await (await signed_in(requester)).opens(app)))
        assert answer["error"] == "access_denied"


# What is wrong with a request

ELSEWHERE = [
    CALLBACK + "/", CALLBACK + "?x=1", CALLBACK + "#x", "https://app.example/Callback", "https://app.example/",
    "http://app.example/callback", "https://app.example:444/callback", "https://app.example@evil.example/callback",
    "https://app.example.evil.example/callback", "https://evil.example/https://app.example/callback",
    "https://app.example/callback\r\nX: 1", "//app.example/callback", "/callback", "javascript:alert(1)",
    "data:text/html,x", "https://app.example/%63allback", CONFIDENTIAL_CALLBACK, "http://127.0.0.1:9090/cb", "", None,
]  # fmt: skip


@pytest.mark.parametrize("uri", ELSEWHERE)
async def test_nothing_is_ever_sent_to_an_address_that_is_not_registered(house, signed_in, app, uri):
    she = await signed_in(await house.open_patient())
    for answer in (
        await she.opens(app, redirect_uri=uri),
        await she.opens(app, redirect_uri=uri, response_type="token"),
        await she.http.post("/oauth/authorize", data=app.wish(redirect_uri=uri)),
    ):
        assert answer.status_code == 400
        assert "location" not in answer.headers and "onward" not in answer.text
        assert "Nothing was sent to the app" in text_of(answer)


@pytest.mark.parametrize("client_id", ["nobody", "", None, "sample\n", "clinic", "a" * 5_000, "' OR 1=1 --", "\x00"])
async def test_an_app_that_is_not_the_one_registered_is_refused_here(house, signed_in, app, client_id):
    she = await signed_in(await house.open_patient())
    assert (await she.opens(app, client_id=client_id)).status_code == 400


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"aud": None}, "invalid_request"),
        ({"aud": "https://other.example/fhir"}, "invalid_request"),
        ({"aud": BASE}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "x"}, "invalid_request"),
        ({"code_challenge": "A" * 44}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "nonsense"}, "invalid_scope"),
        ({"scope": "launch/patient offline_access"}, "invalid_scope"),
        ({"scope": "system/*.rs"}, "invalid_scope"),
        ({"scope": "__introspect"}, "invalid_scope"),
        ({"scope": "x" * 9_000}, "invalid_request"),
        ({"nonce": "x" * 2_000}, "invalid_request"),
        ({"launch": "nonsense"}, "invalid_request"),
        ({"launch": "A" * 43}, "invalid_request"),
        ({"launch": "A" * 43, "scope": "launch patient/*.rs"}, "invalid_request"),
    ],
)
async def test_what_else_is_wrong_is_told_to_the_app(house, signed_in, app, changes, error):
    she = await signed_in(await house.open_patient())
    answer = app.answered(onward(await she.opens(app, **changes)))
    assert answer["error"] == error
    assert answer["error_description"].isascii() and "code" not in answer


async def test_a_request_without_state_is_refused_without_one(house, signed_in, app):
    she = await signed_in(await house.open_patient())
    url = onward(await she.opens(app, state=None))
    assert dict(parse_qsl(urlsplit(url).query))["error"] == "invalid_request"
    assert "state=" not in url


async def test_a_parameter_given_twice_is_refused_here(house, signed_in, app):
    she = await signed_in(await house.open_patient())
    query = urlencode([*app.wish().items(), ("redirect_uri", "https://evil.example")])
    assert (await she.http.get(f"/oauth/authorize?{query}")).status_code == 400


async def test_an_answer_keeps_the_query_of_the_address(house, signed_in, clinic):
    she = await signed_in(await house.open_patient())
    url = await she.answers(await she.opens(clinic))
    assert url.startswith("https://clinic.example/back?tenant=1&code=")


async def test_no_request_makes_a_fault_or_leads_elsewhere(house, signed_in, app):
    she = await signed_in(await house.open_patient())
    good = app.wish()
    values = st.text(max_size=40) | st.sampled_from([*ELSEWHERE[:-1], *good.values()])
    changes = st.dictionaries(
        st.sampled_from([*REQUEST_PARAMETERS, "patient", "q", "cursor", "nothing"]), values, max_size=3
    )
    loop = asyncio.get_running_loop()

    @given(changes, st.booleans())
    def tried(changed, posted):
        send = she.http.post if posted else she.http.get
        wanted = {"data": good | changed} if posted else {"params": good | changed}
        answer = asyncio.run_coroutine_threadsafe(send("/oauth/authorize", **wanted), loop).result()
        assert answer.status_code in (200, 303, 400)
        where = answer.headers.get("location", CALLBACK)
        assert where.startswith((f"{CALLBACK}?error=", "/oauth/authorize?")) or where == CALLBACK

    await asyncio.to_thread(tried)


# The consent form is ours alone


async def test_a_forged_answer_allows_nothing(house, signed_in, app, journal):
    anna = await house.open_patient()
    she = await signed_in(anna)
    fields = dict(consent_fields(await she.opens(app))) | {"decision": "allow"}
    other = await signed_in(await house.open_patient())
    for forged in ({"_csrf": ""}, {"_csrf": dict(consent_fields(await other.opens(app)))["_csrf"]}):
        answer = await she.http.post("/oauth/authorize/decision", data=fields | forged)
        assert answer.status_code == 403
        assert "location" not in answer.headers
    altered = await she.http.post("/oauth/authorize/decision", data=fields | {"redirect_uri": "https://evil.example"})
    assert altered.status_code == 400
    assert await journal.entries_of(anna.id, [AppAllowed]) == []
    assert (await she.http.get("/oauth/authorize/decision")).headers["location"] == "/"


async def test_an_answer_that_follows_a_form_goes_on_from_a_page(house, signed_in, app):
    """The pages' policy holds up a form that is redirected to another site."""
    she = await signed_in(await house.open_patient())
    await she.lets(app)
    direct = await she.http.get("/oauth/authorize", params=app.wish())
    assert direct.status_code == 303
    own = await she.http.get("/oauth/authorize", params=app.wish(), headers={"Sec-Fetch-Site": "same-origin"})
    assert own.status_code == 200
    assert app.answered(onward(own))["code"]


# Codes


async def test_a_code_serves_once_and_its_second_use_ends_what_came_of_it(house, signed_in, app, journal):
    anna = await house.open_patient()
    she = await signed_in(anna)
    app.scope += " offline_access"
    code = await she.lets(app)
    body = (await app.exchange(code)).json()
    assert (await app.reads(body["access_token"])).status_code == 200
    again = await app.exchange(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert (await app.reads(body["access_token"])).status_code == 401
    assert (await app.refresh(body["refresh_token"])).json()["error"] == "invalid_grant"
    [told] = await journal.entries_of(anna.id, [AppEnded])
    assert told.event.cause == "reused"
    assert "a secret of it was used twice" in text_of(await she.http.get("/log"))


async def test_of_many_exchanges_at_once_one_wins_and_then_loses_too(house, signed_in, app):
    she = await signed_in(await house.open_patient())
    code = await she.lets(app)
    answers = await asyncio.gather(*(app.exchange(code) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400]
    token = next(answer.json()["access_token"] for answer in answers if answer.status_code == 200)
    assert (await app.reads(token)).status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "A" * 43},
        {"code_verifier": ""},
        {"code_verifier": None},
        {"code_verifier": "é" * 43},
        {"redirect_uri": "https://app.example/other"},
        {"redirect_uri": None},
    ],
)
async def test_a_code_is_bound_to_verifier_and_address_and_is_spent_by_a_wrong_one(house, signed_in, app, changes):
    she = await signed_in(await house.open_patient())
    code = await she.lets(app)
    assert (await app.exchange(code, **changes)).json()["error"] == "invalid_grant"
    assert (await app.exchange(code)).json()["error"] == "invalid_grant"


async def test_a_code_is_bound_to_its_app(house, signed_in, app, clinic):
    she = await signed_in(await house.open_patient())
    code = await she.lets(app)
    for stranger in (App(app.http, "local", CALLBACK, verifier=app.verifier), replace(clinic, verifier=app.verifier)):
        assert (await stranger.exchange(code, redirect_uri=CALLBACK)).json()["error"] == "invalid_grant"
    assert (await app.exchange(code)).status_code == 200


async def test_a_code_that_is_too_old_or_made_up_is_none(house, signed_in, app, db):
    she = await signed_in(await house.open_patient())
    code = await she.lets(app)
    await db.fetch("UPDATE app_connection SET code_until = now() WHERE code_used_at IS NULL")
    for wrong in (code, "x", "A" * 43, "", None):
        answer = await app.exchange(wrong)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
        assert answer.headers["cache-control"] == "no-store"


async def test_a_code_that_was_revoked_before_it_came_is_none(house, signed_in, app):
    anna = await house.open_patient()
    she = await signed_in(anna)
    code = await she.lets(app)
    [allowed] = await house.access.apps.list_authorized(anna)
    await house.access.apps.revoke(anna, allowed.authorization.authorization_id)
    assert (await app.exchange(code)).json()["error"] == "invalid_grant"


async def test_a_confidential_app_proves_who_it_is(house, signed_in, clinic, key):
    she = await signed_in(await house.open_patient())
    code = await she.lets(clinic)
    fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": clinic.redirect_uri,
              "code_verifier": clinic.verifier}  # fmt: skip
    refused = await clinic.http.post("/oauth/token", data=fields | {"client_id": "clinic"})
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    forged = replace(clinic, key=ECKey.generate_key("P-384", {"kid": "ec-1"}))
    assert (await forged.exchange(code)).status_code == 401
    assert (await clinic.exchange(code, client_id="sample")).status_code == 401
    assert (await clinic.exchange(code, client_id="clinic")).status_code == 200
    mixed = await clinic.http.post("/oauth/token", data=fields | {"client_id": "sample"})
    assert mixed.json()["error"] == "invalid_grant"


async def test_nothing_secret_is_kept_as_it_is(house, signed_in, app, db, journal):
    anna = await house.open_patient()
    she = await signed_in(anna)
    app.scope += " offline_access"
    code = await she.lets(app)
    body = (await app.exchange(code)).json()
    tables = ("access_token", "app_connection", "app_refresh", "app_authorization", "journal_entry")
    kept = "".join([str(await db.fetchval(f"SELECT string_agg(t::text, '') FROM {table} t")) for table in tables])
    for secret in (code, body["access_token"], body["refresh_token"], app.verifier):
        assert secret not in kept
        assert secret.encode().hex() not in kept


# Refresh tokens


async def test_refresh_tokens_rotate_and_one_that_comes_again_ends_all(house, signed_in, app):
    she = await signed_in(await house.open_patient())
    app.scope += " offline_access"
    first = (await app.exchange(await she.lets(app))).json()
    second = (await app.refresh(first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert (second["scope"], second["patient"]) == (first["scope"], first["patient"])
    assert (await app.reads(second["access_token"])).status_code == 200
    third = (await app.refresh(second["refresh_token"])).json()
    assert (await app.refresh(first["refresh_token"])).json()["error"] == "invalid_grant"
    for token in (first, second, third):
        assert (await app.reads(token["access_token"])).status_code == 401
    assert (await app.refresh(third["refresh_token"])).json()["error"] == "invalid_grant"


async def test_a_refresh_gives_the_same_or_less(house, signed_in, app):
    she = await signed_in(await house.open_patient())
    app.scope = "launch/patient patient/*.rs offline_access"
    first = (await app.exchange(await she.lets(app))).json()
    wrong = await app.refresh(first["refresh_token"], scope="patient/Patient.cruds user/*.rs")
    assert wrong.json()["scope"] == "patient/Patient.rs"
    less = wrong.json()
    assert (await app.reads(less["access_token"])).status_code == 403
    refused = await app.refresh(less["refresh_token"], scope="user/*.rs")
    assert refused.json()["error"] == "invalid_scope"
    again = (await app.refresh(less["refresh_token"])).json()
    assert again["scope"] == first["scope"]


async def test_a_refresh_token_is_bound_to_its_app(house, signed_in, app, clinic):
    she = await signed_in(await house.open_patient())
    app.scope += " offline_access"
    body = (await app.exchange(await she.lets(app))).json()
    for stranger in (App(app.http, "local", CALLBACK), clinic):
        assert (await stranger.refresh(body["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await app.refresh(body["refresh_token"])).status_code == 200


async def test_online_access_ends_with_the_session_and_offline_access_does_not(house, signed_in, app):
    for scope, status in (("online_access", 400), ("offline_access", 200), ("online_access offline_access", 200)):
        she = await signed_in(await house.open_patient())
        app.scope = f"launch/patient patient/*.rs {scope}"
        body = (await app.exchange(await she.lets(app))).json()
        body = (await app.refresh(body["refresh_token"])).json()
        await she.http.post("/leave")
        assert (await app.refresh(body["refresh_token"])).status_code == status


async def test_without_asking_to_stay_an_app_gets_no_refresh_token(house, signed_in, app):
    she = await signed_in(await house.open_patient())
    assert "refresh_token" not in (await app.exchange(await she.lets(app))).json()


# What is remembered, and how it ends


async def test_she_is_not_asked_again_for_what_she_decided(house, signed_in, app, journal):
    anna = await house.open_patient()
    she = await signed_in(anna)
    app.scope = "launch/patient patient/Patient.rs patient/Binary.rs"
    await she.lets(app, without=["patient/Binary.rs"])
    again = app.answered(onward(await she.opens(app)))
    body = (await app.exchange(again["code"])).json()
    assert set(body["scope"].split()) == {"launch/patient", "patient/Patient.rs"}
    less = app.answered(onward(await she.opens(app, scope="patient/Binary.rs")))
    assert less["error"] == "access_denied"
    told = await journal.entries_of(anna.id, [AppAllowed])
    assert [entry.event.again for entry in told] == [True, False]
    more = consent_fields(await she.opens(app, scope="patient/Patient.rs patient/List.rs patient/Binary.rs"))
    assert [value for name, value in more if name == "grant"] == ["patient/List.rs", "patient/Patient.rs"]


async def test_what_she_took_out_is_still_out_when_she_is_asked_again(house, signed_in, browser):
    """An app on this machine could be another one: it is asked for each time."""
    she = await signed_in(await house.open_patient())
    local = App(browser(), "local", "http://127.0.0.1:9090/cb", scope="patient/Patient.rs patient/Binary.rs")
    await she.lets(local, without=["patient/Binary.rs"])
    page = await she.opens(local)
    assert [value for name, value in consent_fields(page) if name == "grant"] == ["patient/Patient.rs"]
    assert "You allowed this app something" in text_of(page)


async def test_an_app_on_a_second_device_goes_on_beside_the_first(house, signed_in, browser):
    anna = await house.open_patient()
    she = await signed_in(anna)
    phone, tablet = (App(browser(), "local", "http://127.0.0.1:9090/cb") for _ in range(2))
    phone.scope = "patient/Patient.rs patient/List.rs offline_access"
    tablet.scope = "patient/Patient.rs patient/Binary.rs offline_access"
    first = (await phone.exchange(await she.lets(phone, without=["patient/List.rs"]))).json()
    second = (await tablet.exchange(await she.lets(tablet))).json()
    for token in (first, second):
        assert (await phone.reads(token["access_token"], "Patient")).status_code == 200
    assert (await phone.reads(first["access_token"], "Binary")).status_code == 403
    [allowed] = await house.access.apps.list_authorized(anna)
    assert allowed.authorization.scopes == {"patient/Patient.rs", "patient/Binary.rs", "offline_access"}
    again = [value for name, value in consent_fields(await she.opens(phone)) if name == "grant"]
    assert "patient/List.rs" not in again
    await house.access.apps.revoke(anna, allowed.authorization.authorization_id)
    for app, token in ((phone, first), (tablet, second)):
        assert (await app.reads(token["access_token"], "Patient")).status_code == 401
        assert (await app.refresh(token["refresh_token"])).json()["error"] == "invalid_grant"


async def test_a_permission_for_less_ends_the_one_for_more(house, signed_in, app):
    anna = await house.open_patient()
    she = await signed_in(anna)
    wide = (await app.exchange(await she.lets(app))).json()
    app.scope = "launch/patient patient/Patient.rs patient/List.rs offline_access"
    narrow = (await app.exchange(await she.lets(app, without=["patient/List.rs"]))).json()
    assert (await app.reads(wide["access_token"])).status_code == 401
    assert (await app.reads(narrow["access_token"], "Patient")).status_code == 200
    assert len(await house.access.apps.list_authorized(anna)) == 1


async def test_she_sees_her_apps_and_ends_their_access(house, signed_in, app, journal):
    anna = await house.open_patient()
    she = await signed_in(anna)
    app.scope += " offline_access"
    body = (await app.exchange(await she.lets(app))).json()
    page = await she.http.get("/apps")
    shown = text_of(page)
    assert "Sample <i>App</i>" in shown and MAKER in shown and "See: Everything in the record" in shown
    assert "Also when you are away" in shown
    form = next(form for form in html.fromstring(page.text).forms if form.action == "/apps/revoke")
    other = await signed_in(await house.open_patient())
    stolen = dict(form.form_values()) | {"_csrf": csrf_of(await other.http.get("/apps"))}
    assert (await other.http.post("/apps/revoke", data=stolen)).status_code == 404
    assert (await app.reads(body["access_token"])).status_code == 200
    assert (await she.http.post("/apps/revoke", data=dict(form.form_values()))).status_code == 303
    answer = await app.reads(body["access_token"])
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert (await app.refresh(body["refresh_token"])).json()["error"] == "invalid_grant"
    assert "You have not let any app see data." in text_of(await she.http.get("/apps"))
    assert "You ended the access of the app" in text_of(await she.http.get("/log?kind=sharing"))
    assert consent_fields(await she.opens(app))


def csrf_of(page):
    return html.fromstring(page.text).xpath("//input[@name='_csrf']/@value")[0]


async def test_a_disabled_app_is_out_at_once(house, signed_in, app, registered):
    she = await signed_in(await house.open_patient())
    app.scope += " offline_access"
    body = (await app.exchange(await she.lets(app))).json()
    await house.access.clients.disable("sample")
    try:
        house.access._signin.forget()
        assert (await app.reads(body["access_token"])).status_code == 401
        assert (await app.refresh(body["refresh_token"])).status_code == 401
        assert (await she.opens(app)).status_code == 400
    finally:
        await house.access.clients.register(registered[0])


# Professionals


async def granted_patient(house, doctor):
    anna = await house.open_patient()
    await house.access.codes.redeem(doctor, await house.access.codes.issue(anna))
    return anna


async def test_a_professional_chooses_one_of_his_patients(house, signed_in, app, fresh, journal):
    doctor = fresh(house.doctor)
    anna, other = await granted_patient(house, doctor), await house.open_patient()
    he = await signed_in(doctor)
    page = await he.opens(app)
    assert "For which patient?" in text_of(page) and anna.name in text_of(page)
    assert other.name not in text_of(page)
    assert "Nobody found" in text_of(await he.http.get("/oauth/authorize", params=app.wish() | {"q": "xyzzy"}))
    link = next(link for link in html.fromstring(page.text).xpath("//main//a/@href") if str(anna.id) in link)
    asked = await he.http.get(link)
    assert anna.name in text_of(asked) and "Of this patient." in text_of(asked)
    body = (await app.exchange(app.answered(await he.answers(asked))["code"])).json()
    assert body["patient"] == str(anna.id)
    who = (await app.reads(body["access_token"])).json()
    assert (who["kind"], who["id"], who["only"]) == ("practitioner", str(doctor.id), str(anna.id))
    [told] = await journal.entries_of(anna.id, [AppAllowed])
    assert told.actor.id == doctor.id
    she = await signed_in(anna)
    assert f"{doctor.name} used the app Sample <i>App</i> with your record." in text_of(await she.http.get("/log"))
    assert anna.name in text_of(await he.http.get("/apps"))


async def test_a_professional_cannot_choose_whom_he_may_not_see(house, signed_in, app, fresh):
    doctor = fresh(house.doctor)
    anna, other = await granted_patient(house, doctor), await house.open_patient()
    he = await signed_in(doctor)
    answers = [
        await he.http.get("/oauth/authorize", params=app.wish() | {"patient": str(id_)}) for id_ in (other.id, uuid7())
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert text_of(answers[0]) == text_of(answers[1])
    assert "For which patient?" in text_of(await he.http.get("/oauth/authorize", params=app.wish() | {"patient": "x"}))
    asked = await he.http.get("/oauth/authorize", params=app.wish() | {"patient": str(anna.id)})
    fields = dict(consent_fields(asked)) | {"decision": "allow", "patient": str(other.id)}
    assert (await he.http.post("/oauth/authorize/decision", data=fields)).status_code == 404


async def test_user_scopes_need_no_patient_and_reach_all_of_them(house, signed_in, app, fresh, journal):
    he = await signed_in(fresh(house.doctor))
    app.scope = "user/DocumentReference.rs openid fhirUser"
    page = await he.opens(app)
    assert "Of everyone whose data you may see." in text_of(page)
    body = (await app.exchange(app.answered(await he.answers(page))["code"])).json()
    assert "patient" not in body
    assert (await app.reads(body["access_token"])).json()["only"] is None
    assert (await app.reads(body["access_token"], "List")).status_code == 403
    [told] = await journal.entries_of(NIL, [AppAllowed], limit=1)
    assert told.actor.name == house.doctor.name


async def test_permissions_of_a_professional_are_for_one_patient_each(house, signed_in, app, fresh):
    doctor = fresh(house.doctor)
    anna, bea = await granted_patient(house, doctor), await granted_patient(house, doctor)
    he = await signed_in(doctor)
    wish = app.wish()
    first = await he.http.get("/oauth/authorize", params=wish | {"patient": str(anna.id)})
    await he.answers(first)
    again = await he.http.get("/oauth/authorize", params=wish | {"patient": str(anna.id)})
    assert app.answered(onward(again))["code"]
    assert consent_fields(await he.http.get("/oauth/authorize", params=wish | {"patient": str(bea.id)}))


# Opened from the portal


async def opened(person, path, app="clinic"):
    """Open an app from a page; gives what its address carries."""
    page = await person.http.get(path)
    assert page.status_code == 200, page.text
    forms = [form for form in html.fromstring(page.text).forms if form.action == "/apps/open"]
    form = next(form for form in forms if form.fields["app"] == app)
    url = onward(await person.http.post("/apps/open", data=dict(form.form_values())))
    assert url.startswith(f"{LAUNCH}?")
    carried = dict(parse_qsl(urlsplit(url).query))
    assert carried["iss"] == FHIR
    return carried["launch"]


async def test_an_app_opens_for_the_patient_of_the_page(house, signed_in, clinic, fresh):
    doctor = fresh(house.doctor)
    anna = await granted_patient(house, doctor)
    he = await signed_in(doctor)
    launch = await opened(he, f"/patients/{anna.id}/apps")
    assert str(anna.id) not in launch
    clinic.scope = "launch patient/*.rs openid fhirUser online_access"
    page = await he.opens(clinic, launch=launch)
    assert anna.name in text_of(page)
    body = (await clinic.exchange(clinic.answered(await he.answers(page))["code"])).json()
    assert (body["patient"], body["need_patient_banner"]) == (str(anna.id), True)
    assert (await clinic.reads(body["access_token"])).json()["only"] == str(anna.id)
    again = clinic.answered(onward(await he.opens(clinic, launch=launch)))
    assert again["error"] == "invalid_request"
    known = await he.opens(clinic, launch=await opened(he, f"/patients/{anna.id}/apps"))
    assert clinic.answered(onward(known))["code"]


async def test_a_patient_opens_an_app_too(house, signed_in, clinic):
    anna = await house.open_patient()
    she = await signed_in(anna)
    clinic.scope = "launch patient/*.rs"
    page = await she.opens(clinic, launch=await opened(she, "/apps"))
    body = (await clinic.exchange(clinic.answered(await she.answers(page))["code"])).json()
    assert body["patient"] == str(anna.id)


async def test_a_launch_means_nothing_to_others(house, signed_in, clinic, fresh, db):
    doctor = fresh(house.doctor)
    anna = await granted_patient(house, doctor)
    he, elsewhere, colleague = [await signed_in(one) for one in (doctor, doctor, fresh(house.doctor))]
    clinic.scope = "launch patient/*.rs"
    launch = await opened(he, f"/patients/{anna.id}/apps")
    for person in (elsewhere, colleague):
        answer = clinic.answered(onward(await person.opens(clinic, launch=launch)))
        assert answer["error"] == "invalid_request"
    await db.fetch("UPDATE app_launch SET until = now()")
    assert clinic.answered(onward(await he.opens(clinic, launch=launch)))["error"] == "invalid_request"


async def test_an_app_opens_only_for_whom_the_professional_may_see(house, signed_in, fresh):
    doctor = fresh(house.doctor)
    anna, other = await granted_patient(house, doctor), await house.open_patient()
    he = await signed_in(doctor)
    answers = [await he.http.get(f"/patients/{id_}/apps") for id_ in (other.id, uuid7())]
    assert [answer.status_code for answer in answers] == [404, 404]
    page = await he.http.get(f"/patients/{anna.id}/apps")
    fields = {"_csrf": csrf_of(page), "app": "clinic", "person": str(anna.id)}
    for wrong in ({"person": str(other.id)}, {"person": str(uuid7())}, {"app": "sample"}, {"app": "nobody"}):
        assert (await he.http.post("/apps/open", data=fields | wrong)).status_code == 404
    assert (await he.http.post("/apps/open", data=fields | {"_csrf": "x"})).status_code == 403
    she = await signed_in(other)
    own = {"_csrf": csrf_of(await she.http.get("/apps")), "app": "clinic", "person": str(anna.id)}
    assert (await she.http.post("/apps/open", data=own)).status_code == 404
