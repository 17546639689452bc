"""The DIMSE gateway as a process: devices store, the platform has it, nothing acknowledged is lost."""

import asyncio
import contextlib
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage, Verification

from tests.support.dicom import ct_image, file_of, study_files, uids

ESANTE = Path(sys.executable).with_name("esante")


@contextlib.asynccontextmanager
async def gateway(folder: Path, url: str, token: str, *options: str):
    """Run the gateway as a process; yield its port."""
    (folder / "token").write_text(token)
    command = [ESANTE, "imaging", "gateway", "--port", "0", "--url", url, "--token-file", folder / "token"]
    process = await asyncio.create_subprocess_exec(
        *command, "--spool", folder / "spool", *options, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        line = (await process.stdout.readline()).decode()
        assert "listens at" in line, line
        yield int(line.split(":")[1].split(" ")[0].rstrip(".\n"))
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await process.wait()


async def token_of(world, requester) -> str:
    from datetime import timedelta

    return await world.access.issue_token(requester, frozenset({"system/*.cruds"}), timedelta(hours=1))


def send(port: int, images, ae_title: str = "ESANTE", **options) -> list[int]:
    """Send images by pynetdicom; return the statuses, [] when the association was rejected."""
    entity = AE("DEVICE")
    entity.add_requested_context(CTImageStorage, "1.2.840.10008.1.2.1")
    entity.add_requested_context(Verification)
    association = entity.associate("127.0.0.1", port, ae_title=ae_title, **options)
    if not association.is_established:
        return []
    statuses = [association.send_c_echo().Status, *(association.send_c_store(image).Status for image in images)]
    association.release()
    return statuses


async def wait_for(client, file: bytes) -> int:
    """Wait until a file can be retrieved; return the last status."""
    study, series, instance = uids(file)
    for _ in range(100):
        answer = await client.get(f"/dicomweb/studies/{study}/series/{series}/instances/{instance}/metadata")
        if answer.status_code == 200:
            break
        await asyncio.sleep(0.2)
    return answer.status_code


async def test_stored_images_reach_the_archive(imaging, world, person, tmp_path):
    images = [ct_image(person, StudyInstanceUID="1.2.3.4.5", SeriesInstanceUID="1.2.3.4.6") for _ in range(3)]
    token = await token_of(world, world.people["hospital"])
    async with imaging.serving() as url, gateway(tmp_path, url, token) as port:
        assert await asyncio.to_thread(send, port, images) == [0, 0, 0, 0]
        async with imaging.client(world.people["doctor"]) as client:
            assert [await wait_for(client, file_of(image)) for image in images] == [200] * 3
    assert list((tmp_path / "spool").glob("*.dcm")) == []
    assert list((tmp_path / "spool" / "incoming").iterdir()) == []


async def test_storescu_of_dcmtk_stores(imaging, world, person, tmp_path):
    if shutil.which("storescu") is None:
        pytest.skip("storescu (Debian package dcmtk) is not installed")
    files = study_files(person, instances=2)
    paths = []
    for number, file in enumerate(files):
        paths.append(tmp_path / f"{number}.dcm")
        paths[-1].write_bytes(file)
    token = await token_of(world, world.people["hospital"])
    async with imaging.serving() as url, gateway(tmp_path, url, token) as port:
        command = ["storescu", "-aec", "ESANTE", "127.0.0.1", str(port), *map(str, paths)]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        async with imaging.client(world.people["doctor"]) as client:
            assert [await wait_for(client, file) for file in files] == [200] * 2


async def test_acknowledged_images_survive_a_killed_gateway_and_an_absent_platform(imaging, world, person, tmp_path):
    image = ct_image(person)
    token = await token_of(world, world.people["hospital"])
    async with gateway(tmp_path, "http://127.0.0.1:9/dicomweb", token) as port:
        assert await asyncio.to_thread(send, port, [image]) == [0, 0]
    assert len(list((tmp_path / "spool").glob("*.dcm"))) == 1
    async with imaging.serving() as url, gateway(tmp_path, url, token):
        async with imaging.client(world.people["doctor"]) as client:
            assert await wait_for(client, file_of(image)) == 200


async def test_image_that_is_refused_is_set_aside_and_the_next_goes_on(imaging, world, person, tmp_path):
    stranger = ct_image(person, PatientName="Nobody^Known", PatientID="unknown-1")
    good = ct_image(person)
    token = await token_of(world, world.people["hospital"])
    async with imaging.serving() as url, gateway(tmp_path, url, token) as port:
        assert await asyncio.to_thread(send, port, [stranger, good]) == [0, 0, 0]
        async with imaging.client(world.people["doctor"]) as client:
            assert await wait_for(client, file_of(good)) == 200
        for _ in range(50):
            if len(list((tmp_path / "spool" / "rejected").iterdir())) == 1:
                break
            await asyncio.sleep(0.1)
    assert len(list((tmp_path / "spool" / "rejected").iterdir())) == 1


async def test_other_titles_are_rejected(world, tmp_path):
    async with gateway(tmp_path, "http://127.0.0.1:9", "x", "--caller", "SCANNER") as port:
        assert await asyncio.to_thread(send, port, []) == []
    async with gateway(tmp_path, "http://127.0.0.1:9", "x") as port:
        assert await asyncio.to_thread(send, port, [], "OTHER") == []
        assert await asyncio.to_thread(send, port, []) == [0]


async def test_tls_with_certificates_of_devices(tmp_path):
    import ssl

    from tests.support.certificates import authority, certificate_of

    root = authority()
    for name in ("gateway", "device"):
        certificate_of(root, name, tmp_path)
    root.write(tmp_path / "root.pem")
    options = [
        f"--tls-certificate={tmp_path}/gateway.pem",
        f"--tls-key={tmp_path}/gateway.key",
        f"--tls-authorities={tmp_path}/root.pem",
    ]
    context = ssl.create_default_context(cafile=tmp_path / "root.pem")
    context.check_hostname = False
    async with gateway(tmp_path, "http://127.0.0.1:9", "x", *options) as port:
        assert await asyncio.to_thread(send, port, []) == []
        assert await asyncio.to_thread(send, port, [], tls_args=(context, None)) == []
        context.load_cert_chain(tmp_path / "device.pem", tmp_path / "device.key")
        assert await asyncio.to_thread(send, port, [], tls_args=(context, None)) == [0]
