"""Hostile files over STOW-RS: each is refused for its reason, goes into quarantine, and leaves nothing in the archive."""

import io
import zipfile

import pytest

from esante.core.storage import Objects
from esante.services.imaging.model import REASONS
from tests.support.dicom import BOUNDARY, Imaging, reasons, related, stow
from tests.support.dicom_mutator import hostile_files


@pytest.fixture
async def own(world, tmp_path):
    """Image sharing with an object store of this test's own."""
    imaging = Imaging(world, Objects.open("", tmp_path / "objects"))
    yield imaging
    await imaging.renderer.close()


async def rows(world) -> list[int]:
    """Return how many rows the archive has."""
    tables = ("imaging_study", "imaging_series", "imaging_instance", "imaging_study_person")
    return [await world.db.fetchval(f"SELECT count(*) FROM {table}") for table in tables]


@pytest.mark.parametrize("name", sorted(hostile_files()))
async def test_hostile_file_is_refused_and_leaves_nothing_in_the_archive(own, world, person, tmp_path, name):
    file, reason = hostile_files()[name]
    before = await rows(world)
    async with own.client(world.people["hospital"]) as client:
        answer = await stow(client, [file], patient=f"urn:example:record-tests|{person.identifiers[0].value}")
    assert answer.status_code == 409
    assert reasons(answer) == [REASONS[reason].code]
    assert await rows(world) == before
    left = [path for path in (tmp_path / "objects").rglob("*") if path.is_file()]
    assert all("quarantine" in path.parts for path in left)
    found = await world.db.fetchval("SELECT reason FROM imaging_quarantine ORDER BY quarantine_id DESC LIMIT 1")
    assert found == reason


async def test_zip_with_forged_sizes_is_not_even_opened(own, world, tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("IM1", b"x" * 100)
    forged = out.getvalue().replace((100).to_bytes(4, "little"), (0xFFFFFFF0).to_bytes(4, "little"))
    async with own.client(world.people["hospital"]) as client:
        answer = await client.post("/dicomweb/studies", content=forged, headers={"Content-Type": "application/zip"})
        in_part = await client.post("/dicomweb/studies", content=related([forged])[0], headers=related([])[1])
    assert answer.status_code == 415
    assert reasons(in_part) == [REASONS["not-dicom"].code]


async def test_part_that_promises_more_than_comes_stores_nothing(own, world, tmp_path):
    head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\nContent-Length: 4294967295\r\n\r\n"
    async with own.client(world.people["hospital"]) as client:
        answer = await client.post("/dicomweb/studies", content=head.encode() + b"DICM", headers=related([])[1])
    assert answer.status_code == 400
    assert [path for path in (tmp_path / "objects").rglob("*") if path.is_file()] == []
