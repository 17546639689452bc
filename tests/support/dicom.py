"""Support for tests of images: DICOM files of persons, uploads, and a server for clients that others wrote."""

import asyncio
import contextlib
import io
import warnings
from pathlib import Path

import numpy as np
import uvicorn
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from starlette.applications import Starlette

from esante.core.web import HANDLERS, Sessions
from esante.services.imaging.archive.service import Archive
from esante.services.imaging.dicomweb.routes import routes
from esante.services.imaging.ingest.deposit import Deposits
from esante.services.imaging.rendering.frame_renderer import FrameRenderer
from tests.support.record import BASE

CT = "1.2.840.10008.5.1.4.1.1.2"
BOUNDARY = "a-boundary"


def ct_image(person=None, **elements) -> Dataset:
    """Return a small CT image of a person, with other elements by keyword."""
    image = Dataset()
    image.preamble = bytes(128)
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID = CT
    image.SOPInstanceUID, image.StudyInstanceUID, image.SeriesInstanceUID = (generate_uid() for _ in range(3))
    image.StudyDate, image.StudyTime, image.AccessionNumber = "20240311", "101500", "A-1"
    image.StudyDescription, image.SeriesDescription, image.Modality = "CT head", "Axial", "CT"
    image.SeriesNumber, image.InstanceNumber, image.StudyID = 1, 1, "S1"
    if person is not None:
        image.PatientName = f"{person.family}^{'^'.join(person.given)}"
        image.PatientID = person.identifiers[0].value
        image.PatientBirthDate = person.birth_date.strftime("%Y%m%d")
        image.PatientSex = {"female": "F", "male": "M"}.get(person.sex, "O")
    image.Rows = image.Columns = 16
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PixelRepresentation = 1, "MONOCHROME2", 0
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit = 15
    image.PixelData = np.arange(256, dtype="<u2").tobytes()
    for keyword, value in elements.items():
        setattr(image, keyword, value)
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    return image


def file_of(image: Dataset) -> bytes:
    """Return a data set as a DICOM file."""
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image.save_as(out, enforce_file_format=True)
    return out.getvalue()


def study_files(person, series: int = 1, instances: int = 3, **elements) -> list[bytes]:
    """Return the files of one study of a person."""
    study_uid = generate_uid()
    return [
        file_of(
            ct_image(
                person,
                **{"StudyInstanceUID": study_uid}
                | {"SeriesInstanceUID": series_uid, "SeriesNumber": number, "InstanceNumber": place}
                | elements,
            )
        )
        for number, series_uid in enumerate([generate_uid() for _ in range(series)], 1)
        for place in range(1, instances + 1)
    ]


def uids(file: bytes) -> tuple[str, str, str]:
    """Return the UIDs of the study, the series and the instance of a file."""
    found = dcmread(io.BytesIO(file), stop_before_pixels=True)
    return str(found.StudyInstanceUID), str(found.SeriesInstanceUID), str(found.SOPInstanceUID)


def related(files) -> tuple[bytes, dict[str, str]]:
    """Return a body of STOW-RS and its headers."""
    parts = [f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode() + file + b"\r\n" for file in files]
    headers = {"Content-Type": f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'}
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode(), headers


async def stow(client, files, path: str = "/dicomweb/studies", **params):
    """Store files; return the response."""
    body, headers = related(files)
    return await client.post(path, content=body, headers=headers, params=params)


def reasons(response) -> list[int]:
    """Return the Failure Reasons of a response of STOW-RS."""
    failed = response.json().get("00081198", {}).get("Value", [])
    return [one["00081197"]["Value"][0] for one in failed]


def stored(response) -> list[str]:
    """Return the SOP Instance UIDs that a response of STOW-RS names as stored."""
    return [one["00081155"]["Value"][0] for one in response.json().get("00081199", {}).get("Value", [])]


def pydicom_file(name: str) -> Path:
    """Return a file of pydicom."""
    found = get_testdata_file(name, download=False)
    assert found, name
    return Path(found)


class Imaging:
    """Image sharing over a world (tests.support.record), with clients."""

    def __init__(self, world, objects) -> None:
        self.world, self.objects = world, objects
        self.archive = Archive(world.db, objects, world.record)
        self.deposits = Deposits(world.db, objects, world.record, world.directory, world.access)
        self.renderer = FrameRenderer()

    def app(self, base: str = BASE) -> Starlette:
        """Return an application with the routes of DICOMweb."""
        world = self.world
        app = Starlette(
            routes=routes(world.db, self.archive, self.deposits, self.renderer, world.access, world.directory, base),
            exception_handlers=HANDLERS,
        )
        app.state.sessions = Sessions(world.db)
        return app

    @contextlib.asynccontextmanager
    async def client(self, requester, scopes: str = ""):
        """Yield an HTTP client of a requester."""
        async with self.world.client(requester, scopes) as client:
            client._transport.app = self.app()
            yield client

    @contextlib.asynccontextmanager
    async def serving(self):
        """Serve at a free port of this machine; yield the address of DICOMweb."""
        app = self.app()
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield f"http://127.0.0.1:{port}/dicomweb"
        finally:
            server.should_exit = True
            await task
