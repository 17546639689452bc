"""A study as a ZIP file: read back by pydicom's FileSet and by `sha256sum`, bounded, decided and journalled."""

import hashlib
import io
import subprocess
from zipfile import ZipFile

import pytest
from lxml import html
from pydicom import dcmread
from pydicom.fileset import FileSet

from esante.identity.access import requester_of
from esante.services.imaging.archive.contents import CHUNK
from esante.services.imaging.download.service import Downloads
from esante.services.imaging.model import SeriesOpened
from esante.services.imaging.sharing.model import ShareOpened
from tests.services.imaging.pages.test_share_pages import enter
from tests.support.dicom import ct_image, file_of, study_files, uids


@pytest.fixture
async def mixed(store, person):
    """The files of a study: two series of pictures, and a structured report."""
    files = study_files(
        person, series=2, instances=3, StudyDescription="CT Thorax <b>é</b>", SpecificCharacterSet="ISO_IR 192"
    )
    report = ct_image(
        person, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", Modality="SR", StudyInstanceUID=uids(files[0])[0]
    )
    for name in ("PixelData", "Rows", "Columns", "StudyID", "StudyTime"):
        delattr(report, name)
    files.append(file_of(report))
    await store(files)
    return files


def unpack(answer, folder):
    """Unpack a download; return the names in it."""
    with ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        archive.extractall(folder)
        return archive.namelist()


async def test_download_is_a_file_set_with_the_bytes_as_received(browse, person, mixed, tmp_path):
    patient = await browse(requester_of(person))
    answer = await patient.get(f"/images/{uids(mixed[0])[0]}/download")
    assert answer.headers["content-disposition"] == 'attachment; filename="2024-03-11-images.zip"'
    names = unpack(answer, tmp_path)
    found = {one.SOPInstanceUID: one for one in FileSet(tmp_path / "DICOMDIR")}
    pictures = {uids(file)[2]: file for file in mixed[:6]}
    assert found.keys() == pictures.keys()
    for uid, file in pictures.items():
        assert (tmp_path / found[uid].path).read_bytes() == file
        assert found[uid].load().SeriesInstanceUID == uids(file)[1]
    assert (tmp_path / "OTHER/OT000000").read_bytes() == mixed[6]
    assert all(name.replace("/", "").replace(".", "").isalnum() and name == name.upper() for name in names)
    assert all(len(part.partition(".")[0]) <= 10 for name in names for part in name.split("/"))


async def test_sums_hold_for_every_file_and_make_the_merkle_root(browse, person, mixed, tmp_path):
    patient = await browse(requester_of(person))
    names = unpack(await patient.get(f"/images/{uids(mixed[0])[0]}/download"), tmp_path)
    sums = (tmp_path / "SHA256SUMS.TXT").read_text()
    listed = {line.split("  ")[1] for line in sums.splitlines() if not line.startswith("#")}
    assert listed == {name for name in names if not name.startswith(("PREVIEWS/", "SHA256SUMS"))}
    check = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS.TXT"]
    assert subprocess.run(check, cwd=tmp_path, check=False).returncode == 0
    leaves = [hashlib.sha256(file).digest() for file in sorted(mixed, key=lambda file: uids(file)[2])]
    assert f": {tree_root(leaves).hex()}\n" in sums
    assert tree_root(leaves).hex() in (tmp_path / "INDEX.HTM").read_text()
    (tmp_path / "OTHER/OT000000").write_bytes(b"other")
    assert subprocess.run(check, cwd=tmp_path, check=False, capture_output=True).returncode == 1


def tree_root(leaves):
    """Return the root of a Merkle tree as RFC 9162, 2.1.1 defines it."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\1" + tree_root(leaves[:split]) + tree_root(leaves[split:])).digest()


async def test_index_page_needs_nothing_but_the_folder(browse, person, mixed, tmp_path):
    patient = await browse(requester_of(person))
    names = unpack(await patient.get(f"/images/{uids(mixed[0])[0]}/download"), tmp_path)
    page = html.fromstring((tmp_path / "INDEX.HTM").read_bytes())
    assert page.xpath("//h1")[0].text_content() == "CT Thorax <b>é</b>"
    assert not page.xpath("//script[@src] | //link | //iframe | //h1/b")
    shown = page.xpath("//img/@src")
    assert len(shown) == 2 and set(shown) <= set(names)
    folders = [one.text for one in page.xpath("//td/code")]
    assert sorted(folders, reverse=True) == ["PT000000/ST000000/SE000001", "PT000000/ST000000/SE000000", "OTHER"]
    assert person.family in page.text_content()


async def test_download_holds_no_more_than_a_piece_in_memory(world, imaging, store, person):
    image = ct_image(person, Rows=2048, Columns=1024)
    image.PixelData = bytes(2 * 2048 * 1024)
    file = file_of(image)
    await store([file])
    study = await imaging.archive.study(requester_of(person), uids(file)[0], "test")
    downloads = Downloads(world.db, imaging.archive, imaging.renderer, world.directory)

    class Request:
        cookies, headers = {"esante_lang": "en"}, {}

    response = await downloads.respond(Request(), study, await downloads.series_of(study))
    sizes = [len(piece) async for piece in response.body_iterator]
    assert sum(sizes) > len(file) and max(sizes) <= CHUNK + 1_000


async def test_download_is_journalled_for_each_series(browse, world, person, mixed):
    doctor = await browse(world.people["doctor"])
    answer = await doctor.get(f"/patients/{person.id}/images/{uids(mixed[0])[0]}/download")
    assert answer.status_code == 200
    opened = await world.events(person, SeriesOpened)
    assert {(event.series_uid, event.form) for _, event in opened} == {(uids(file)[1], "download") for file in mixed}
    assert {entry.actor.id for entry, _ in opened} == {world.people["doctor"].id}


async def test_who_may_not_see_a_study_downloads_nothing(browse, world, person, mixed):
    study_uid, absent = uids(mixed[0])[0], uids(study_files(person, instances=1)[0])[0]
    another = await world.person()
    stranger, doctor = await browse(requester_of(another)), await browse(world.people["other"])
    for client, place in ((stranger, "/images"), (doctor, f"/patients/{person.id}/images")):
        answers = [await client.get(f"{place}/{uid}/download") for uid in (study_uid, absent)]
        assert {answer.status_code for answer in answers} == {404}
        assert answers[0].text.replace(study_uid, "") == answers[1].text.replace(absent, "")
    assert await world.events(person, SeriesOpened) == []


async def test_recipient_of_a_link_downloads_only_where_it_is_for_that(recipient, world, make, person):
    for downloads, status in ((False, 404), (True, 200)):
        made = await make(downloads=downloads)
        await enter(recipient, made.url, made.pin)
        answer = await recipient.get(f"{made.url}/download")
        assert answer.status_code == status
    opened = [event for _, event in await world.events(person, ShareOpened) if event.series_uid]
    assert {event.form for event in opened} == {"download"} and len(opened) == 2
    with ZipFile(io.BytesIO(answer.content)) as archive:
        assert dcmread(io.BytesIO(archive.read("PT000000/ST000000/SE000000/IM000000"))).PatientName
