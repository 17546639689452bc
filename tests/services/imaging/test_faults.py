"""Faults while images come in: a connection cut within a part, a full disk, two uploads of the same at once."""

import asyncio
import contextlib
import subprocess
from datetime import timedelta

import pytest

from esante.core.storage import Objects
from esante.services.imaging.model import StudyDeposited
from tests.support.dicom import BOUNDARY, Imaging, ct_image, file_of, related, stow, study_files, uids


def left_over(folder) -> list:
    """Return the files that are in an object store."""
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def own_objects(tmp_path):
    """An object store of this test's own."""
    return Objects.open("", tmp_path)


@pytest.mark.parametrize("sent", [0.3, 0.9])
async def test_connection_cut_within_a_part_leaves_nothing(world, person, own_objects, tmp_path, sent):
    imaging = Imaging(world, own_objects)
    files = [file_of(ct_image(person, StudyInstanceUID="1.9.1", PixelData=bytes(200_000))) for _ in range(4)]
    body, headers = related(files)
    token = await world.access.issue_token(world.people["hospital"], frozenset({"system/*.cruds"}), timedelta(hours=1))
    async with imaging.serving() as url:
        port = int(url.split(":")[2].split("/")[0])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = [
            "POST /dicomweb/studies HTTP/1.1",
            "Host: esante.test",
            f"Authorization: Bearer {token}",
            f"Content-Type: {headers['Content-Type']}",
            f"Content-Length: {len(body)}",
        ]
        writer.write("\r\n".join([*head, "", ""]).encode() + body[: int(len(body) * sent)])
        await writer.drain()
        await asyncio.sleep(0.3)
        writer.transport.abort()
        await asyncio.sleep(0.3)
        with contextlib.suppress(ConnectionError):
            await reader.read()
    assert left_over(tmp_path) == []
    assert await world.events(person, StudyDeposited) == []
    await imaging.renderer.close()


async def test_full_disk_stores_nothing_and_says_so(world, person, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=False)
    if mounted.returncode:
        pytest.skip("no small file system: this needs the right to mount one")
    try:
        imaging = Imaging(world, Objects.open("", disk))
        files = [file_of(ct_image(person, StudyInstanceUID="1.9.2", PixelData=bytes(300_000))) for _ in range(5)]
        async with imaging.client(world.people["hospital"]) as client:
            answer = await stow(client, files)
            assert answer.status_code == 503
            assert "Retry-After" in answer.headers
            assert left_over(disk) == []
            assert (await client.get("/dicomweb/studies/1.9.2")).status_code == 404
            assert (await stow(client, files[:1])).status_code == 200
        assert len(await world.events(person, StudyDeposited)) == 1
        await imaging.renderer.close()
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


async def test_two_uploads_of_one_study_at_once_both_succeed(imaging, world, person):
    files = study_files(person, series=2, instances=3)
    async with imaging.client(world.people["hospital"]) as one, imaging.client(world.people["hospital"]) as other:
        answers = await asyncio.gather(stow(one, files), stow(other, files), stow(one, files[:2]))
        assert [answer.status_code for answer in answers] == [200] * 3
        found = await one.get(f"/dicomweb/studies/{uids(files[0])[0]}/instances")
        assert len(found.json()) == 6
    assert sum(event.instances for _, event in await world.events(person, StudyDeposited)) == 6
    timeline = await world.record.timeline(world.people["hospital"], person.id)
    assert len(timeline.documents) == 1


async def test_instances_of_several_studies_and_persons_in_one_upload(imaging, world, person):
    other = await world.person("Schmit", given=("Paul",), sex="male")
    mine, theirs = study_files(person, instances=2), study_files(other, instances=2)
    mixed = [mine[0], theirs[0], mine[1], theirs[1]]
    async with imaging.client(world.people["hospital"]) as client:
        answer = await stow(client, mixed)
        assert answer.status_code == 200, answer.text
        for file in mixed:
            study, series, instance = uids(file)
            path = f"/dicomweb/studies/{study}/series/{series}/instances/{instance}"
            assert (await client.get(path, headers={"Accept": "application/dicom"})).content == file
    assert [event.instances for one in (person, other) for _, event in await world.events(one, StudyDeposited)] == [
        2,
        2,
    ]


async def test_part_with_endless_headers_is_refused(imaging, world):
    body = f"--{BOUNDARY}\r\nX-Long: ".encode() + b"a" * 100_000 + b"\r\n\r\nx\r\n" + f"--{BOUNDARY}--\r\n".encode()
    async with imaging.client(world.people["hospital"]) as client:
        answer = await client.post("/dicomweb/studies", content=body, headers=related([])[1])
    assert answer.status_code == 400
