"""Pages of apps in the portal: list, revocation, launch."""

from lxml import html

from esante.core.storage import uuid7
from tests.support.smart_apps import MAKER, consent_fields, csrf_token, main_text, patient_of


async def test_revoking_an_app_on_its_page_ends_access(house, signed_in, app, journal):
    anna = await house.open_patient()
    user = await signed_in(anna)
    app.scope += " offline_access"
    body = (await app.exchange(await user.authorize(app))).json()
    page = await user.http.get("/apps")
    shown = main_text(page)
    assert "Sample <i>App</i>" in shown and MAKER in shown and "See: Everything in the record" in shown
    assert "Access when you are signed out" in shown
    form = next(form for form in html.fromstring(page.text).forms if form.action == "/apps/revoke")
    other = await signed_in(await house.open_patient())
    stolen = dict(form.form_values()) | {"_csrf": csrf_token(await other.http.get("/apps"))}
    assert (await other.http.post("/apps/revoke", data=stolen)).status_code == 404
    assert (await app.call_api(body["access_token"])).status_code == 200
    assert (await user.http.post("/apps/revoke", data=dict(form.form_values()))).status_code == 303
    response = await app.call_api(body["access_token"])
    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["www-authenticate"]
    assert (await app.refresh(body["refresh_token"])).json()["error"] == "invalid_grant"
    assert "You have not given any app access to your data." in main_text(await user.http.get("/apps"))
    assert "You removed the access of the app" in main_text(await user.http.get("/log?kind=sharing"))
    assert consent_fields(await user.open(app))


async def test_launch_is_refused_without_access_to_the_record(house, signed_in, fresh):
    doctor = fresh(house.doctor)
    anna, other = await patient_of(house, doctor), await house.open_patient()
    user = await signed_in(doctor)
    responses = [await user.http.get(f"/patients/{id_}/apps") for id_ in (other.id, uuid7())]
    assert [response.status_code for response in responses] == [404, 404]
    page = await user.http.get(f"/patients/{anna.id}/apps")
    fields = {"_csrf": csrf_token(page), "app": "clinic", "person": str(anna.id)}
    for wrong in ({"person": str(other.id)}, {"person": str(uuid7())}, {"app": "sample"}, {"app": "nobody"}):
        assert (await user.http.post("/apps/open", data=fields | wrong)).status_code == 404
    assert (await user.http.post("/apps/open", data=fields | {"_csrf": "x"})).status_code == 403
    patient = await signed_in(other)
    own = {"_csrf": csrf_token(await patient.http.get("/apps")), "app": "clinic", "person": str(anna.id)}
    assert (await patient.http.post("/apps/open", data=own)).status_code == 404
