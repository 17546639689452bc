"""The ZIP file of a study whose images stay in the hospital."""

import hashlib
import io
from zipfile import ZipFile

import pytest

from esante.identity.access import requester_of
from esante.services.imaging.download.service import Downloads
from esante.services.imaging.pages.download_pages import DownloadPages
from tests.services.imaging.federation.test_remote_studies import study  # noqa: F401 - a fixture
from tests.support.dicom import uids
from tests.support.record_pages import page_app, sign_in


@pytest.fixture
async def patient(imaging, world, person):
    """The browser of the person, signed in on the pages of downloads."""
    app = page_app(world)
    downloads = Downloads(world.db, imaging.archive, imaging.renderer, world.directory)
    app.router.routes.extend(DownloadPages(downloads, imaging.archive, world.access).routes())
    client = await sign_in(app, requester_of(person))
    yield client
    await client.aclose()


async def test_download_has_the_files_of_the_hospital_with_their_hashes(patient, study):  # noqa: F811
    answer = await patient.get(f"/images/{uids(study[0])[0]}/download")
    assert answer.status_code == 200
    with ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        packed = {hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}
        sums = archive.read("SHA256SUMS.TXT").decode()
    expected = {hashlib.sha256(file).hexdigest() for file in study}
    assert expected <= packed
    assert all(digest in sums for digest in expected)


async def test_download_without_the_hospital_is_answered_503_and_sends_nothing(patient, hospital, study):  # noqa: F811
    hospital.failure = "error"
    answer = await patient.get(f"/images/{uids(study[0])[0]}/download")
    assert answer.status_code == 503
    assert not answer.content.startswith(b"PK")


async def test_copy_is_checked_by_the_hashes_of_the_manifest_also_without_the_hospital(
    imaging,
    world,
    person,
    hospital,
    study,  # noqa: F811
):
    hospital.failure = "error"
    downloads = Downloads(world.db, imaging.archive, imaging.renderer, world.directory)
    visible = await imaging.archive.study(requester_of(person), uids(study[0])[0], "test")
    check = await downloads.fingerprints(visible)
    assert {digest for _, digest in check["files"]} == {hashlib.sha256(file).hexdigest() for file in study}
