"""The viewer for professionals: who gets it, what it may connect to, and DICOMweb with the session of a browser."""

import gzip

import httpx
import pytest
from starlette.applications import Starlette

from esante.core.web import HANDLERS
from esante.identity.access import Confidentiality, requester_of
from esante.services.imaging.model import ImagesRefused, SeriesOpened
from esante.services.imaging.pages.viewer_pages import FILES, ViewerPages, viewer_address
from tests.support.dicom import related, study_files, uids
from tests.support.record import BASE
from tests.support.record_pages import load_page, main_text, sign_in

CHUNK = "0123456789abcdef0123.wasm"


def viewer_app(world, imaging, app, folder):
    """Return an application with the viewer in a folder, in which everybody is signed in who is in `app`."""
    viewer = Starlette(routes=ViewerPages(world.db, imaging.archive, world.access, folder).routes())
    viewer.exception_handlers = HANDLERS
    viewer.state.sessions = app.state.sessions
    return viewer


@pytest.fixture
async def doctor(app, world, imaging, tmp_path):
    """A doctor in a browser, with a viewer of a few small files."""
    for name in ("app.js.gz", f"{CHUNK}.gz"):
        (tmp_path / name).write_bytes(gzip.compress(b"built"))
    (tmp_path / "LICENCE.txt").write_text("MIT")
    signed_in = await sign_in(app, world.people["doctor"])
    transport = httpx.ASGITransport(viewer_app(world, imaging, app, tmp_path))
    async with httpx.AsyncClient(transport=transport, base_url=BASE, cookies=signed_in.cookies) as client:
        yield client
    await signed_in.aclose()


async def test_doctor_gets_the_viewer_with_the_first_picture(doctor, browse, world, person, study):
    study_uid, series_uid, instance_uid = uids(study[0])
    answer = await doctor.get(f"/images/{study_uid}/viewer")
    assert answer.headers["location"] == viewer_address(study_uid)
    page = await load_page(doctor, viewer_address(study_uid))
    [picture] = page.xpath("//*[@id='esante-first']/img/@src")
    assert f"/series/{series_uid}/instances/{instance_uid}/" in picture
    assert (await (await browse(world.people["doctor"])).get(picture)).status_code == 200
    assert "Review quality, not for diagnosis" in page.text_content()
    assert page.xpath("//p[@class='esante-quality']/a/@href") == [f"/patients/{person.id}/images/{study_uid}"]


async def test_viewer_may_connect_to_images_and_its_own_files_only(doctor, study):
    answer = await doctor.get(viewer_address(uids(study[0])[0]))
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    host = BASE.partition("//")[2]
    assert policy["connect-src"] == f"{host}/dicomweb/ {host}{FILES}/ blob: data:"
    assert (policy["default-src"], policy["frame-ancestors"]) == ("'none'", "'none'")
    assert "unsafe-eval" not in policy["script-src"].replace("'wasm-unsafe-eval'", "")
    assert "unsafe-inline" not in policy["script-src"]


@pytest.mark.parametrize("host", ["x; script-src *", "evil.example/ *", ""])
async def test_name_of_a_host_does_not_widen_the_policy(doctor, study, host):
    answer = await doctor.get(viewer_address(uids(study[0])[0]), headers={"Host": host})
    assert "connect-src  blob: data:;" in answer.headers["content-security-policy"]


async def test_configuration_names_no_place_but_dicomweb(doctor):
    text = (await doctor.get("/viewer/config.js")).text
    assert '"qidoRoot":"/dicomweb"' in text and '"showStudyList":false' in text
    assert "http" not in text


async def test_files_are_sent_compressed_and_kept_by_their_names(doctor):
    for name, kept in (("app.js", "no-cache"), (CHUNK, "max-age=31536000, immutable")):
        answer = await doctor.get(f"{FILES}/{name}")
        assert (answer.content, answer.headers["content-encoding"]) == (b"built", "gzip")
        assert answer.headers["cache-control"] == kept
        assert "connect-src" in answer.headers["content-security-policy"]
    assert (await doctor.get(f"{FILES}/{CHUNK}")).headers["content-type"] == "application/wasm"
    for name in ("other.js", "../viewer_frame.css", "%2e%2e/viewer_frame.js"):
        assert (await doctor.get(f"{FILES}/{name}")).status_code == 404


async def test_viewer_that_is_not_installed_says_so_and_how_to_install_it(
    app, world, imaging, browse, study, tmp_path
):
    signed_in = await browse(world.people["doctor"])
    transport = httpx.ASGITransport(viewer_app(world, imaging, app, tmp_path / "nothing"))
    async with httpx.AsyncClient(transport=transport, base_url=BASE, cookies=signed_in.cookies) as client:
        client.cookies.set("esante_lang", "en")
        page = await load_page(client, viewer_address(uids(study[0])[0]), 503)
        assert "not installed" in main_text(page) and "make install" in main_text(page)
        assert (await client.get(f"{FILES}/app.js")).status_code == 404


async def test_hidden_study_and_one_that_does_not_exist_are_answered_alike(doctor, world, person, study):
    patient = requester_of(person)
    timeline = await world.record.timeline(patient, person.id)
    (document,) = [one for one in timeline.documents if one.category == "imaging_study"]
    await world.record.set_confidentiality(patient, person.id, document.id, Confidentiality.HIDDEN)
    absent = uids(study_files(person, instances=1)[0])[0]
    answers = [await doctor.get(viewer_address(uid)) for uid in (uids(study[0])[0], absent, "x", "")]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text.replace(uids(study[0])[0], "UID").replace(absent, "UID") for answer in answers[:2]}) == 1
    assert [event.action for _, event in await world.events(person, ImagesRefused)] == ["viewer"]


async def test_patient_is_led_to_the_page_of_the_study(browse, person, study):
    patient = await browse(requester_of(person))
    answer = await patient.get(f"/images/{uids(study[0])[0]}/viewer")
    assert answer.headers["location"] == f"/images/{uids(study[0])[0]}"
    assert (await patient.get(viewer_address(uids(study[0])[0]))).status_code == 404


async def test_nobody_without_a_session_gets_the_viewer(app, study):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        for address in (viewer_address(uids(study[0])[0]), "/viewer/config.js", f"/images/{uids(study[0])[0]}/viewer"):
            assert (await client.get(address)).headers["location"].startswith("/signin")


async def test_session_reads_dicomweb_as_a_token_does_and_is_journalled(browse, world, imaging, person, study):
    study_uid, series_uid, instance_uid = uids(study[0])
    path = f"/dicomweb/studies/{study_uid}/series/{series_uid}/instances/{instance_uid}"
    signed_in = await browse(world.people["doctor"])
    async with imaging.client(world.people["doctor"]) as by_token:
        for end in ("", "/metadata", "/frames/1"):
            one, two = await signed_in.get(path + end), await by_token.get(path + end)
            boundary = [answer.headers["content-type"].rpartition("boundary=")[2].encode() for answer in (one, two)]
            assert one.status_code == two.status_code == 200
            assert one.content.replace(boundary[0], b"") == two.content.replace(boundary[1], b"")
    opened = await world.events(person, SeriesOpened)
    assert {(entry.actor.id, event.series_uid) for entry, event in opened} == {
        (world.people["doctor"].id, series_uid),
    }


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_page_of_another_site_reads_nothing_with_the_session(browse, world, person, study, site):
    study_uid, series_uid, instance_uid = uids(study[0])
    signed_in = await browse(world.people["doctor"])
    for path in (
        f"/dicomweb/studies/{study_uid}/series/{series_uid}/instances/{instance_uid}/rendered",
        f"/dicomweb/studies/{study_uid}/metadata",
        f"/dicomweb/studies?StudyInstanceUID={study_uid}",
    ):
        assert (await signed_in.get(path, headers={"Sec-Fetch-Site": site})).status_code == 403
        assert (await signed_in.get(path, headers={"Sec-Fetch-Site": "same-origin"})).status_code == 200
    assert len(await world.events(person, SeriesOpened)) == 1


async def test_session_stores_nothing_without_the_token_of_its_pages(browse, world, person):
    body, headers = related(study_files(person, instances=1))
    signed_in = await browse(world.people["hospital"])
    answer = await signed_in.post("/dicomweb/studies", content=body, headers=headers)
    assert answer.status_code == 403
