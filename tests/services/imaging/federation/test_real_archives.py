"""Archives that are whole programs: Debian's Orthanc as a process of its own, and another platform of ours."""

import asyncio
import contextlib
import shutil
import socket
from datetime import timedelta

import httpx
import orjson
import pytest

from esante.core.storage import Objects
from tests.conftest import create_database, open_journal
from tests.services.imaging.federation.test_remote_studies import ONE, deposit, url
from tests.support.dicom import Imaging, related, stow, study_files, uids
from tests.support.hospital_archive import LOCATION
from tests.support.record import open_world

pytestmark = pytest.mark.long


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
async def orthanc(tmp_path):
    """Orthanc with DICOMweb at a free port; gives the address of DICOMweb and a function that stops it."""
    program = shutil.which("Orthanc")
    if program is None:
        pytest.skip("Orthanc is not installed")
    port = free_port()
    configuration = {
        "StorageDirectory": str(tmp_path / "storage"),
        "IndexDirectory": str(tmp_path / "index"),
        "HttpPort": port,
        "DicomServerEnabled": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "Plugins": ["/usr/share/orthanc/plugins"],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (tmp_path / "orthanc.json").write_bytes(orjson.dumps(configuration))
    process = await asyncio.create_subprocess_exec(
        program,
        str(tmp_path / "orthanc.json"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )

    async def stop() -> None:
        if process.returncode is None:
            process.kill()
            await process.wait()

    address = f"http://127.0.0.1:{port}/dicom-web"
    async with httpx.AsyncClient() as client:
        for _ in range(200):
            with contextlib.suppress(httpx.HTTPError):
                if (await client.get(f"{address}/studies")).status_code == 200:
                    break
            await asyncio.sleep(0.1)
    yield address, stop
    await stop()


async def check(imaging, world, person, files, manifest) -> None:
    """Deposit the manifest, and open everything through the platform."""
    answer = await deposit(imaging, world.people["hospital"], manifest)
    assert answer.status_code == 201, answer.text
    async with imaging.client(world.people["doctor"]) as client:
        for file in files:
            assert (await client.get(url(file), headers=ONE)).content == file
            assert file[-512:] in (await client.get(f"{url(file)}/frames/1")).content
        headers = (await client.get(f"{url(files[0], level='series')}/metadata")).json()
        assert {one["00080018"]["Value"][0] for one in headers} == {uids(one)[2] for one in files}
        assert (await client.get(f"{url(files[0])}/rendered")).status_code == 200


async def test_images_of_orthanc_are_opened_until_it_is_down(imaging, world, person, hospital, orthanc, manifest_for):
    address, stop = orthanc
    files = study_files(person, instances=3)
    body, headers = related(files)
    async with httpx.AsyncClient() as client:
        stored = await client.post(f"{address}/studies", content=body, headers=headers)
        assert stored.status_code == 200, stored.text
        # Orthanc writes the File Meta Information anew: the manifest has the hashes of what it sends.
        files = [await instance_at(client, address, file) for file in files]
    await imaging.locations.set(LOCATION, world.people["hospital"].id, "Orthanc", address)
    await check(imaging, world, person, files, manifest_for(person, files))
    later = study_files(person, instances=1)
    await deposit(imaging, world.people["hospital"], manifest_for(person, later))
    await stop()
    async with imaging.client(world.people["doctor"]) as client:
        assert (await client.get(url(later[0]), headers=ONE)).status_code == 503
        assert (await client.get(url(files[0]), headers=ONE)).content == files[0]
        assert (await client.get(f"{url(later[0], level='study')}/manifest")).status_code == 200
    assert len((await world.record.timeline(world.people["doctor"], person.id)).documents) == 2


async def instance_at(client, address: str, file: bytes) -> bytes:
    study, series, instance = uids(file)
    answer = await client.get(
        f"{address}/studies/{study}/series/{series}/instances/{instance}",
        headers={"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'},
    )
    begin = answer.content.index(b"\r\n\r\n") + 4
    return answer.content[begin : answer.content.rindex(b"\r\n--")]


async def test_images_of_another_platform_are_opened_with_its_token(
    imaging, world, person, hospital, server, manifest_for, tmp_path
):
    dsn = await create_database(server)
    objects = Objects.open("", tmp_path / "objects")
    async with open_journal(dsn, tmp_path) as journal, open_world(journal.db, journal, objects) as other:
        there = await other.person(person.family, given=person.given, identifiers=person.identifiers)
        files = study_files(there, instances=2, PatientID=person.identifiers[0].value)
        archive = Imaging(other, objects)
        async with archive.client(other.people["hospital"]) as client:
            assert (await stow(client, files)).status_code == 200
        token = await other.access.issue_token(
            other.people["hospital"], frozenset({"system/ImagingStudy.r"}), timedelta(hours=1)
        )
        (tmp_path / "token").write_text(token)
        async with archive.serving() as address:
            await imaging.locations.set(
                LOCATION, world.people["hospital"].id, "Another", address, str(tmp_path / "token")
            )
            await check(imaging, world, person, files, manifest_for(person, files))
        await archive.renderer.close()
