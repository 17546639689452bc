"""Devices of a hospital: the gateway as a process, and pictures of a phantom that `storescu` sends through it."""

import asyncio
import contextlib
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import generate_uid

from tests.support.demo_server import DemoServer
from tests.support.dicom import ct_image, file_of, uids

ESANTE = Path(sys.executable).with_name("esante")
SIDE = 128


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


def phantom_study(number: str, series: int = 2, instances: int = 4) -> list[bytes]:
    """Return the files of a study of a head, of the person with a number."""
    study_uid = str(generate_uid())
    return [
        _slice(number, study_uid, series_uid, of_series, place)
        for of_series, series_uid in enumerate([str(generate_uid()) for _ in range(series)], 1)
        for place in range(1, instances + 1)
    ]


def _slice(number: str, study_uid: str, series_uid: str, of_series: int, place: int) -> bytes:
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    distance = np.hypot(x * 1.1, y)
    hole = np.hypot(x - 0.2 - 0.02 * place, y + 0.1) < 0.2
    values = (
        np.where(distance < 0.85, 1040, 0) + np.where(abs(distance - 0.85) < 0.05, 800, 0) - np.where(hole, 600, 0)
    )
    image = ct_image(
        None,
        PatientID=number,
        StudyInstanceUID=study_uid,
        SeriesInstanceUID=series_uid,
        SeriesNumber=of_series,
        SeriesDescription=f"Serie {of_series}",
        StudyDescription="CT Schädel nativ",
        SpecificCharacterSet="ISO_IR 192",
        InstanceNumber=place,
        NumberOfStudyRelatedInstances=8,
        RescaleIntercept=-1024,
        RescaleSlope=1,
        WindowCenter=40,
        WindowWidth=400,
        PixelSpacing=[1, 1],
        ImagePositionPatient=[0, 0, 2 * place],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        FrameOfReferenceUID=study_uid,
        Rows=SIDE,
        Columns=SIDE,
        PixelData=values.clip(0, 4095).astype("<u2").tobytes(),
    )
    return file_of(image)


async def store_study(demo: DemoServer, sender: str, reader: str, files: Sequence[bytes], folder: Path) -> str:
    """Send files as a device of a sender does; return their Study UID once a reader finds all of them."""
    if shutil.which("storescu") is None:
        pytest.skip("images were not sent by storescu: the Debian package dcmtk is not installed")
    paths = []
    for number, file in enumerate(files):
        paths.append(folder / f"{number}.dcm")
        paths[-1].write_bytes(file)
    study_uid = uids(files[0])[0]
    async with gateway(folder, f"{demo.base}/dicomweb", demo.token(sender)) as port:
        command = ["storescu", "-aec", "ESANTE", "127.0.0.1", str(port), *map(str, paths)]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        async with demo.http(reader) as http, asyncio.timeout(60):
            while True:
                answer = await http.get(f"/dicomweb/studies/{study_uid}/instances")
                if answer.status_code == 200 and len(answer.json()) == len(files):
                    # The process that draws pictures is started by the first one.
                    assert (await http.get(f"/dicomweb/studies/{study_uid}/thumbnail")).status_code == 200
                    return study_uid
                await asyncio.sleep(0.3)
