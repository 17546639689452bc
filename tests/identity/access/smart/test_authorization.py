"""Authorization of apps: decisions, what is remembered, patients of professionals, launch from the portal."""

from esante.core.storage import NIL
from esante.identity.access import AppAllowed, AppRefused
from tests.support.smart_apps import (
    LABORATORY_SCOPE,
    MAKER,
    SmartApp,
    consent_fields,
    forwarded_url,
    main_text,
    offered_scopes,
    patient_of,
)


async def test_allowed_request_returns_tokens_for_the_patient(house, signed_in, app):
    anna = await house.open_patient()
    user = await signed_in(anna)
    page = await user.open(app)
    shown = main_text(page)
    assert "Sample <i>App</i> is asking for access" in shown and MAKER in shown
    assert "app.example" in shown and anna.name in shown
    assert "See: Everything in the record" in shown and "See who you are" in shown
    assert page.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]

    code = app.parse_response(await user.decide(page))["code"]
    body = (await app.exchange(code)).json()
    assert set(body) == {
        "access_token", "token_type", "expires_in", "scope", "patient", "need_patient_banner", "id_token",
    }  # fmt: skip
    assert (body["token_type"], body["patient"], body["expires_in"]) == ("Bearer", str(anna.id), 3_600)
    assert set(body["scope"].split()) == {"launch/patient", "patient/*.rs", "openid", "fhirUser"}
    who = (await app.call_api(body["access_token"])).json()
    assert who == {"kind": "patient", "id": str(anna.id), "only": str(anna.id), "client": "Sample <i>App</i>",
                   "within": [[]]}  # fmt: skip


async def test_deselected_scopes_are_not_granted(house, signed_in, app):
    user = await signed_in(await house.open_patient())
    app.scope = f"launch/patient patient/DocumentReference.rs {LABORATORY_SCOPE} openid fhirUser offline_access"
    page = await user.open(app)
    assert "See: Measurements and test results, limited to: laboratory results" in main_text(page)
    code = app.parse_response(await user.decide(page, without=["patient/DocumentReference.rs", "openid", "fhirUser"]))
    body = (await app.exchange(code["code"])).json()
    assert set(body["scope"].split()) == {"launch/patient", LABORATORY_SCOPE, "offline_access"}
    assert "id_token" not in body
    assert (await app.call_api(body["access_token"])).status_code == 403
    seen = (await app.call_api(body["access_token"], "Observation")).json()
    assert seen["within"] == [[LABORATORY_SCOPE.partition("?")[2].split("=", 1)]]


async def test_empty_selection_shows_the_form_again_and_extra_scopes_are_ignored(house, signed_in, app):
    user = await signed_in(await house.open_patient())
    app.scope = "launch/patient patient/Patient.rs"
    again = await user.decide(await user.open(app), only=[])
    page = await user.http.get(again)
    assert "Nothing is selected." in main_text(page)
    more = ["patient/Patient.rs", "patient/*.cruds", "user/*.rs", "system/*.rs", "__introspect", "openid"]
    body = (await app.exchange(app.parse_response(await user.decide(page, only=more))["code"])).json()
    assert set(body["scope"].split()) == {"launch/patient", "patient/Patient.rs"}


async def test_refusal_returns_access_denied_and_is_logged(house, signed_in, app, journal):
    anna = await house.open_patient()
    user = await signed_in(anna)
    response = app.parse_response(await user.decide(await user.open(app), decision="refuse"))
    assert response["error"] == "access_denied"
    assert "code" not in response
    [entry] = await journal.entries_of(anna.id, [AppRefused])
    assert (entry.event.client_id, entry.actor.id) == ("sample", anna.id)
    assert "You refused access to the app Sample <i>App</i>." in main_text(await user.http.get("/log?kind=sharing"))


async def test_decided_scopes_are_not_asked_again(house, signed_in, app, journal):
    anna = await house.open_patient()
    user = await signed_in(anna)
    app.scope = "launch/patient patient/Patient.rs patient/Binary.rs"
    await user.authorize(app, without=["patient/Binary.rs"])
    again = app.parse_response(forwarded_url(await user.open(app)))
    body = (await app.exchange(again["code"])).json()
    assert set(body["scope"].split()) == {"launch/patient", "patient/Patient.rs"}
    less = app.parse_response(forwarded_url(await user.open(app, scope="patient/Binary.rs")))
    assert less["error"] == "access_denied"
    entries = await journal.entries_of(anna.id, [AppAllowed])
    assert [entry.event.again for entry in entries] == [True, False]
    more = consent_fields(await user.open(app, scope="patient/Patient.rs patient/List.rs patient/Binary.rs"))
    assert [value for name, value in more if name == "grant"] == ["patient/List.rs", "patient/Patient.rs"]


async def test_deselected_scopes_stay_deselected_in_the_next_form(house, signed_in, browser):
    """An app on this machine could be another one: it is asked for each time."""
    user = await signed_in(await house.open_patient())
    local = SmartApp(browser(), "local", "http://127.0.0.1:9090/cb", scope="patient/Patient.rs patient/Binary.rs")
    await user.authorize(local, without=["patient/Binary.rs"])
    page = await user.open(local)
    assert offered_scopes(page) == ["patient/Patient.rs"]
    assert "You gave this app access on" in main_text(page)


async def test_second_device_shares_the_authorization_of_the_first(house, signed_in, browser):
    anna = await house.open_patient()
    user = await signed_in(anna)
    phone, tablet = (SmartApp(browser(), "local", "http://127.0.0.1:9090/cb") for _ in range(2))
    phone.scope = "patient/Patient.rs patient/List.rs offline_access"
    tablet.scope = "patient/Patient.rs patient/Binary.rs offline_access"
    first = (await phone.exchange(await user.authorize(phone, without=["patient/List.rs"]))).json()
    second = (await tablet.exchange(await user.authorize(tablet))).json()
    for token in (first, second):
        assert (await phone.call_api(token["access_token"], "Patient")).status_code == 200
    assert (await phone.call_api(first["access_token"], "Binary")).status_code == 403
    [authorized] = await house.access.apps.list_authorized(anna)
    assert authorized.authorization.scopes == {"patient/Patient.rs", "patient/Binary.rs", "offline_access"}
    again = offered_scopes(await user.open(phone))
    assert "patient/List.rs" not in again
    await house.access.apps.revoke(anna, authorized.authorization.authorization_id)
    for app, token in ((phone, first), (tablet, second)):
        assert (await app.call_api(token["access_token"], "Patient")).status_code == 401
        assert (await app.refresh(token["refresh_token"])).json()["error"] == "invalid_grant"


async def test_narrower_authorization_ends_the_wider_one(house, signed_in, app):
    anna = await house.open_patient()
    user = await signed_in(anna)
    wide = (await app.exchange(await user.authorize(app))).json()
    app.scope = "launch/patient patient/Patient.rs patient/List.rs offline_access"
    narrow = (await app.exchange(await user.authorize(app, without=["patient/List.rs"]))).json()
    assert (await app.call_api(wide["access_token"])).status_code == 401
    assert (await app.call_api(narrow["access_token"], "Patient")).status_code == 200
    assert len(await house.access.apps.list_authorized(anna)) == 1


async def test_disabled_client_loses_access_at_once(house, signed_in, app, registered):
    user = await signed_in(await house.open_patient())
    app.scope += " offline_access"
    body = (await app.exchange(await user.authorize(app))).json()
    await house.access.clients.disable("sample")
    try:
        house.access._signin.forget_tokens()
        assert (await app.call_api(body["access_token"])).status_code == 401
        assert (await app.refresh(body["refresh_token"])).status_code == 401
        assert (await user.open(app)).status_code == 400
    finally:
        await house.access.clients.register(registered[0])


async def test_user_scopes_need_no_patient_and_cover_all(house, signed_in, app, fresh, journal):
    user = await signed_in(fresh(house.doctor))
    app.scope = "user/DocumentReference.rs openid fhirUser"
    page = await user.open(app)
    assert "For everyone whose data you are allowed to see." in main_text(page)
    body = (await app.exchange(app.parse_response(await user.decide(page))["code"])).json()
    assert "patient" not in body
    assert (await app.call_api(body["access_token"])).json()["only"] is None
    assert (await app.call_api(body["access_token"], "List")).status_code == 403
    [entry] = await journal.entries_of(NIL, [AppAllowed], limit=1)
    assert entry.actor.name == house.doctor.name


async def test_authorization_by_a_professional_is_for_one_patient(house, signed_in, app, fresh):
    doctor = fresh(house.doctor)
    anna, bea = await patient_of(house, doctor), await patient_of(house, doctor)
    user = await signed_in(doctor)
    parameters = app.request_parameters()
    first = await user.http.get("/oauth/authorize", params=parameters | {"patient": str(anna.id)})
    await user.decide(first)
    again = await user.http.get("/oauth/authorize", params=parameters | {"patient": str(anna.id)})
    assert app.parse_response(forwarded_url(again))["code"]
    assert consent_fields(await user.http.get("/oauth/authorize", params=parameters | {"patient": str(bea.id)}))


async def test_launch_from_a_patient_page_gives_that_patient(house, signed_in, clinic, fresh):
    doctor = fresh(house.doctor)
    anna = await patient_of(house, doctor)
    user = await signed_in(doctor)
    launch = await user.launch(f"/patients/{anna.id}/apps")
    assert str(anna.id) not in launch
    clinic.scope = "launch patient/*.rs openid fhirUser online_access"
    page = await user.open(clinic, launch=launch)
    assert anna.name in main_text(page)
    body = (await clinic.exchange(clinic.parse_response(await user.decide(page))["code"])).json()
    assert (body["patient"], body["need_patient_banner"]) == (str(anna.id), True)
    assert (await clinic.call_api(body["access_token"])).json()["only"] == str(anna.id)
    again = clinic.parse_response(forwarded_url(await user.open(clinic, launch=launch)))
    assert again["error"] == "invalid_request"
    known = await user.open(clinic, launch=await user.launch(f"/patients/{anna.id}/apps"))
    assert clinic.parse_response(forwarded_url(known))["code"]


async def test_launch_by_a_patient_gives_their_own_record(house, signed_in, clinic):
    anna = await house.open_patient()
    user = await signed_in(anna)
    clinic.scope = "launch patient/*.rs"
    page = await user.open(clinic, launch=await user.launch("/apps"))
    body = (await clinic.exchange(clinic.parse_response(await user.decide(page))["code"])).json()
    assert body["patient"] == str(anna.id)


async def test_launch_is_invalid_in_other_sessions_and_after_expiry(house, signed_in, clinic, fresh, db):
    doctor = fresh(house.doctor)
    anna = await patient_of(house, doctor)
    user, elsewhere, colleague = [await signed_in(requester) for requester in (doctor, doctor, fresh(house.doctor))]
    clinic.scope = "launch patient/*.rs"
    launch = await user.launch(f"/patients/{anna.id}/apps")
    for person in (elsewhere, colleague):
        response = clinic.parse_response(forwarded_url(await person.open(clinic, launch=launch)))
        assert response["error"] == "invalid_request"
    await db.fetch("UPDATE app_launch SET until = now()")
    assert clinic.parse_response(forwarded_url(await user.open(clinic, launch=launch)))["error"] == "invalid_request"
