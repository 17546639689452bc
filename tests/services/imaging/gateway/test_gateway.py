"""The DIMSE gateway as a process: devices store, the platform has it, nothing acknowledged is lost."""

import asyncio
import contextlib
import shutil
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage, Verification

from esante.services.imaging.gateway.forwarder import Forwarder
from esante.services.imaging.gateway.receiver import GatewayAddress, Receiver, tls_context
from esante.services.imaging.gateway.spool import Spool
from tests.support.device_certificates import authority, certificate_of
from tests.support.dicom import ct_image, file_of, study_files, uids
from tests.support.imaging_devices import gateway


async def token_of(world, requester) -> str:
    from datetime import timedelta

    return await world.access.issue_token(requester, frozenset({"system/*.cruds"}), timedelta(hours=1))


def send(port: int, images, ae_title: str = "ESANTE", **options) -> list[int]:
    """Send images by pynetdicom; return the statuses, [] when the association was rejected."""
    entity = AE("DEVICE")
    entity.acse_timeout = entity.network_timeout = 10
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


@contextlib.contextmanager
def receiver(folder: Path, callers=(), tls=None, **bounds):
    """Run the DIMSE side in this process; yield its spool and its port."""
    spool = Spool(folder, **bounds)
    one = Receiver(spool, GatewayAddress(host="127.0.0.1", port=0, ae_title="ESANTE", callers=callers), tls)
    try:
        yield spool, one.start()
    finally:
        one.stop()


def waiting(folder: Path) -> int:
    return len(list(folder.glob("*.dcm")))


async def test_images_of_devices_reach_the_archive_and_what_is_refused_is_set_aside(imaging, world, person, tmp_path):
    images = [ct_image(person, StudyInstanceUID="1.2.3.4.5", SeriesInstanceUID="1.2.3.4.6") for _ in range(2)]
    stranger = ct_image(person, PatientName="Nobody^Known", PatientID="unknown-1")
    spool = tmp_path / "spool"
    token = await token_of(world, world.people["hospital"])
    async with imaging.serving() as url, gateway(tmp_path, url, token) as port:
        assert await asyncio.to_thread(send, port, [images[0], stranger, images[1]]) == [0, 0, 0, 0]
        files = [file_of(image) for image in images]
        if shutil.which("storescu"):
            files += study_files(person, instances=1)
            (tmp_path / "one.dcm").write_bytes(files[-1])
            command = ["storescu", "-aec", "ESANTE", "127.0.0.1", str(port), tmp_path / "one.dcm"]
            done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
        async with imaging.client(world.people["doctor"]) as client:
            assert {await wait_for(client, file) for file in files} == {200}
        for _ in range(100):
            if waiting(spool) == 0:
                break
            await asyncio.sleep(0.1)
    assert (waiting(spool), waiting(spool / "rejected"), waiting(spool / "incoming")) == (0, 1, 0)


def test_storescu_is_there_to_be_tested_with():
    if shutil.which("storescu") is None:
        pytest.skip("the gateway was not tested with storescu: the Debian package dcmtk is not installed")


async def test_acknowledged_images_survive_an_absent_platform_and_a_new_process(imaging, world, person, tmp_path):
    image = ct_image(person)
    with receiver(tmp_path) as (spool, port):
        assert await asyncio.to_thread(send, port, [image]) == [0, 0]
        absent = Forwarder(spool, "http://127.0.0.1:9/dicomweb/studies", lambda: "token")
        with pytest.raises(httpx.ConnectError):
            await asyncio.to_thread(absent.forward)
    assert waiting(tmp_path) == 1
    token = await token_of(world, world.people["hospital"])
    async with imaging.serving() as url, imaging.client(world.people["doctor"]) as client:
        unknown = Forwarder(Spool(tmp_path), f"{url}/studies", lambda: "no-token")
        with pytest.raises(httpx.HTTPStatusError):
            await asyncio.to_thread(unknown.forward)
        assert waiting(tmp_path) == 1
        again = Forwarder(Spool(tmp_path), f"{url}/studies", lambda: token)
        assert await asyncio.to_thread(again.forward) == 1
        assert await wait_for(client, file_of(image)) == 200
    assert waiting(tmp_path) == 0


@pytest.mark.parametrize("bounds", [{"most_files": 1}, {"most_bytes": 2_000}])
async def test_full_spool_refuses_and_keeps_what_it_has(person, tmp_path, bounds):
    with receiver(tmp_path, **bounds) as (spool, port):
        images = [ct_image(person), ct_image(person)]
        assert await asyncio.to_thread(send, port, images) == [0, 0, 0xA700]
        assert waiting(tmp_path) == 1
        spool.remove(spool.batch(10, 10_000))
        assert await asyncio.to_thread(send, port, images[:1]) == [0, 0]


async def test_other_titles_are_rejected(tmp_path):
    with receiver(tmp_path, callers=["SCANNER"]) as (_, port):
        assert await asyncio.to_thread(send, port, []) == []
    with receiver(tmp_path) as (_, port):
        assert await asyncio.to_thread(send, port, [], "OTHER") == []
        assert await asyncio.to_thread(send, port, []) == [0]


async def test_tls_needs_the_certificate_of_a_known_device(tmp_path):
    root = authority()
    for name in ("gateway", "device"):
        certificate_of(root, name, tmp_path)
    root.write(tmp_path / "root.pem")
    tls = tls_context(tmp_path / "gateway.pem", tmp_path / "gateway.key", tmp_path / "root.pem")
    context = ssl.create_default_context(cafile=tmp_path / "root.pem")
    context.check_hostname = False
    with receiver(tmp_path / "spool", tls=tls) as (_, port):
        assert await asyncio.to_thread(send, port, []) == []
        assert await asyncio.to_thread(send, port, [], tls_args=(context, None)) == []
        context.load_cert_chain(tmp_path / "device.pem", tmp_path / "device.key")
        assert await asyncio.to_thread(send, port, [], tls_args=(context, None)) == [0]
