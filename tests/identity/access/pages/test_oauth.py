"""Pages of the authorization endpoint: sign-in, consent form, selection of a patient, way back to the client."""

from urllib.parse import parse_qsl, urlsplit

from lxml import html

from esante.core.storage import uuid7
from esante.identity.access import AppAllowed
from tests.support.smart_apps import AppUser, consent_fields, forwarded_url, main_text, patient_of


async def test_request_without_session_leads_to_sign_in_and_back(house, platform, browser, app):
    anna = await house.open_patient()
    http = browser()
    response = await AppUser(http).open(app)
    assert response.status_code == 303
    where = urlsplit(response.headers["location"])
    assert where.path == "/signin" and not where.netloc
    following = dict(parse_qsl(where.query))["next"]
    assert following.startswith("/oauth/authorize?")
    platform.state.sign_in_as["requester"] = anna
    await http.post("/become")
    assert dict(consent_fields(await http.get(following)))["state"] == app.state


async def test_posted_request_redirects_to_the_same_request_as_a_query(house, signed_in, app):
    user = await signed_in(await house.open_patient())
    response = await user.http.post(
        "/oauth/authorize", data=app.request_parameters(), headers={"Origin": "https://app.example"}
    )
    assert response.status_code == 303
    assert response.headers["location"].startswith("/oauth/authorize?")
    assert consent_fields(await user.http.get(response.headers["location"]))


async def test_operator_and_software_get_access_denied(house, signed_in, app):
    for requester in (house.operator, house.software):
        response = app.parse_response(forwarded_url(await (await signed_in(requester)).open(app)))
        assert response["error"] == "access_denied"


async def test_forged_decision_grants_nothing(house, signed_in, app, journal):
    anna = await house.open_patient()
    user = await signed_in(anna)
    fields = dict(consent_fields(await user.open(app))) | {"decision": "allow"}
    other = await signed_in(await house.open_patient())
    for forged in ({"_csrf": ""}, {"_csrf": dict(consent_fields(await other.open(app)))["_csrf"]}):
        response = await user.http.post("/oauth/authorize/decision", data=fields | forged)
        assert response.status_code == 403
        assert "location" not in response.headers
    altered = await user.http.post("/oauth/authorize/decision", data=fields | {"redirect_uri": "https://evil.example"})
    assert altered.status_code == 400
    assert await journal.entries_of(anna.id, [AppAllowed]) == []
    assert (await user.http.get("/oauth/authorize/decision")).headers["location"] == "/"


async def test_response_after_a_form_is_a_forwarding_page(house, signed_in, app):
    """The pages' policy holds up a form that is redirected to another site."""
    user = await signed_in(await house.open_patient())
    await user.authorize(app)
    direct = await user.http.get("/oauth/authorize", params=app.request_parameters())
    assert direct.status_code == 303
    own = await user.http.get(
        "/oauth/authorize", params=app.request_parameters(), headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert own.status_code == 200
    assert app.parse_response(forwarded_url(own))["code"]


async def test_professional_selects_a_patient_with_an_open_record(house, signed_in, app, fresh, journal):
    doctor = fresh(house.doctor)
    anna, other = await patient_of(house, doctor), await house.open_patient()
    professional = await signed_in(doctor)
    page = await professional.open(app)
    assert "Which patient?" in main_text(page) and anna.name in main_text(page)
    assert other.name not in main_text(page)
    assert "No results" in main_text(
        await professional.http.get("/oauth/authorize", params=app.request_parameters() | {"q": "xyzzy"})
    )
    link = next(link for link in html.fromstring(page.text).xpath("//main//a/@href") if str(anna.id) in link)
    consent_page = await professional.http.get(link)
    assert anna.name in main_text(consent_page) and "For this patient." in main_text(consent_page)
    body = (await app.exchange(app.parse_response(await professional.decide(consent_page))["code"])).json()
    assert body["patient"] == str(anna.id)
    requester = (await app.call_api(body["access_token"])).json()
    assert (requester["kind"], requester["id"], requester["only"]) == ("practitioner", str(doctor.id), str(anna.id))
    [entry] = await journal.entries_of(anna.id, [AppAllowed])
    assert entry.actor.id == doctor.id
    patient = await signed_in(anna)
    assert f"{doctor.name} used the app Sample <i>App</i> with your record." in main_text(
        await patient.http.get("/log")
    )
    assert anna.name in main_text(await professional.http.get("/apps"))


async def test_patient_without_access_cannot_be_selected(house, signed_in, app, fresh):
    doctor = fresh(house.doctor)
    anna, other = await patient_of(house, doctor), await house.open_patient()
    user = await signed_in(doctor)
    responses = [
        await user.http.get("/oauth/authorize", params=app.request_parameters() | {"patient": str(id_)})
        for id_ in (other.id, uuid7())
    ]
    assert [response.status_code for response in responses] == [404, 404]
    assert main_text(responses[0]) == main_text(responses[1])
    assert "Which patient?" in main_text(
        await user.http.get("/oauth/authorize", params=app.request_parameters() | {"patient": "x"})
    )
    consent_page = await user.http.get("/oauth/authorize", params=app.request_parameters() | {"patient": str(anna.id)})
    fields = dict(consent_fields(consent_page)) | {"decision": "allow", "patient": str(other.id)}
    assert (await user.http.post("/oauth/authorize/decision", data=fields)).status_code == 404
