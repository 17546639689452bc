"""Invoke Image Display (RAD-106): the viewer opens for what the user may see, and for nothing else."""

import httpx
import pytest
from starlette.applications import Starlette

from esante.core.web import HANDLERS, Sessions
from esante.identity.access import Confidentiality, requester_of
from esante.services.imaging.discovery.image_display import ImageDisplay
from esante.services.imaging.model import ImagesRefused, StudiesSearched
from tests.support.dicom import stow, study_files, uids
from tests.support.record import BASE

PATH = "/IHEInvokeImageDisplay"


@pytest.fixture
async def study_uid(imaging, world, person):
    """The UID of a stored study."""
    files = study_files(person, instances=1)
    async with imaging.client(world.people["hospital"]) as client:
        assert (await stow(client, files)).status_code == 200
    return uids(files[0])[0]


@pytest.fixture
def invoke(imaging, world):
    """Ask for the display as a requester with a session, or without one (None)."""
    display = ImageDisplay(imaging.archive, world.access, world.directory)
    app = Starlette(routes=display.routes(), exception_handlers=HANDLERS)
    app.state.sessions = Sessions(world.db)

    async def invoke(requester, **params):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            if requester is not None:
                from starlette.requests import Request

                scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b"", "app": app}
                answer = await world.access.sign_in(Request(scope), requester, method="demo")
                name, _, value = answer.headers["set-cookie"].partition(";")[0].partition("=")
                client.cookies.set(name, value)
            return await client.get(PATH, params=params)

    return invoke


async def test_study_leads_to_its_viewer(world, person, study_uid, invoke):
    for requester in (world.people["doctor"], requester_of(person)):
        answer = await invoke(requester, requestType="STUDY", studyUID=study_uid)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/images/{study_uid}/viewer")


async def test_patient_leads_to_the_list(world, person, study_uid, invoke):
    identifier = person.identifiers[0].value
    doctor = await invoke(world.people["doctor"], requestType="PATIENT", patientID=identifier)
    assert doctor.headers["location"] == f"/patients/{person.id}/images"
    own = await invoke(requester_of(person), requestType="PATIENT", patientID=identifier)
    assert own.headers["location"] == "/images"
    assert len(await world.events(person, StudiesSearched)) == 2


async def test_accession_number_of_a_patient_leads_to_the_study(world, person, study_uid, invoke):
    params = {"requestType": "STUDY", "patientID": person.identifiers[0].value}
    found = await invoke(world.people["doctor"], accessionNumber="A-1", **params)
    assert found.headers["location"] == f"/images/{study_uid}/viewer"
    assert (await invoke(world.people["doctor"], accessionNumber="B-2", **params)).status_code == 404


async def test_hidden_and_absent_studies_are_answered_alike(world, person, study_uid, invoke):
    patient = requester_of(person)
    [document] = (await world.record.timeline(patient, person.id)).documents
    await world.record.set_confidentiality(patient, person.id, document.id, Confidentiality.HIDDEN)
    hidden = await invoke(world.people["doctor"], requestType="STUDY", studyUID=study_uid)
    absent = await invoke(world.people["doctor"], requestType="STUDY", studyUID="1.2.3")
    assert (hidden.status_code, absent.status_code) == (404, 404)
    [(_, event)] = await world.events(person, ImagesRefused)
    assert event.action == "display"


async def test_patient_who_is_not_accessible_is_answered_as_one_who_does_not_exist(world, person, study_uid, invoke):
    known = await invoke(world.people["other"], requestType="PATIENT", patientID=person.identifiers[0].value)
    unknown = await invoke(world.people["other"], requestType="PATIENT", patientID="nobody")
    assert (known.status_code, unknown.status_code) == (404, 404)


async def test_without_a_session_the_user_signs_in_first(study_uid, invoke):
    answer = await invoke(None, requestType="STUDY", studyUID=study_uid)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/signin")


@pytest.mark.parametrize("params", [{}, {"requestType": "STUDY"}, {"requestType": "OTHER", "studyUID": "1.2.3"}])
async def test_address_that_names_nothing_is_refused(world, invoke, params):
    assert (await invoke(world.people["doctor"], **params)).status_code == 400
