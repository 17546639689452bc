"""The part of the bench for images: storing, frames, headers and searches, beside Debian's Orthanc on the same machine.

Orthanc (packages orthanc and orthanc-dicomweb) is measured where it is installed, with the same requests by the same
client, and with its files synced; it decides on no access and keeps no journal.
"""

import asyncio
import io
import json
import random
import shutil
import subprocess
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from pydicom import dcmread
from pydicom.data import get_testdata_file

from bench.bench_world import BenchWorld, build_bench_world, open_bench_platform, run_server
from bench.figures import Figures, load_figures
from bench.load_generator import LoadResult, build_request, generate_load
from esante.contract import Platform
from esante.core.storage import TABLES
from esante.identity.directory import Directory, Person

PORT, ORTHANC_PORT = 8797, 8799
CLIENTS, INSTANCES = 4, 100
OWN_STUDIES = 10
"""Studies of the person who is searched."""
LARGE = 4_000
"""Instances of the study of 2 GB."""
BATCH = 10
"""Instances of an upload."""
_ROOT = "1.2.826.0.1.3680043.8.498"
_BOUNDARY = "bench"
_TYPE = {"Content-Type": f'multipart/related; type="application/dicom"; boundary={_BOUNDARY}'}
_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


class CtFiles:
    """CT instances of 512 x 512 x 16 bit with the header of a real device, made by replacing UIDs of one length."""

    def __init__(self, name: str, patient_id: str, born: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = dcmread(get_testdata_file("CT_small.dcm", download=False))
            image.Rows = image.Columns = 512
            image.PixelData = random.Random(1).randbytes(512 * 512 * 2)
            image.PatientName, image.PatientID, image.PatientBirthDate, image.PatientSex = name, patient_id, born, "F"
            image.StudyDate = "20240311"
            image.StudyInstanceUID, image.SeriesInstanceUID, image.SOPInstanceUID = (
                f"{_ROOT}.{kind}.{0:012d}" for kind in (1, 2, 3)
            )
            image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
            for tag in (0xFFFCFFFC, 0x00280120):
                image.pop(tag, None)
            out = io.BytesIO()
            image.save_as(out, enforce_file_format=True)
        self._file = out.getvalue()
        self.size = len(self._file)

    def uids(self, study: int, instance: int) -> tuple[str, str, str]:
        """Return the UIDs of an instance of a study, which has one series."""
        return f"{_ROOT}.1.1{study:011d}", f"{_ROOT}.2.1{study:011d}", f"{_ROOT}.3.1{study:05d}{instance:06d}"

    def file(self, study: int, instance: int) -> bytes:
        """Return an instance."""
        found = self._file
        for kind, uid in zip((1, 2, 3), self.uids(study, instance), strict=True):
            found = found.replace(f"{_ROOT}.{kind}.{0:012d}".encode(), uid.encode())
        return found

    def upload(self, study: int, first: int, count: int) -> bytes:
        """Return the body of an upload of instances of a study."""
        head = f"--{_BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        parts = [head + self.file(study, first + place) + b"\r\n" for place in range(count)]
        return b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()


async def images(data: Path, seconds: float, full: bool) -> Figures:
    """Measure uploads, frames, headers and searches, with access and journal; beside Orthanc where it is installed."""
    async with open_bench_platform(data) as platform:
        world = await build_bench_world(platform, 50)
        person = await platform[Directory].person(world.persons[0])
        if person is None:
            raise LookupError("no person")
        files = CtFiles(
            f"{person.family}^{person.given[0]}", person.identifiers[0].value, person.birth_date.strftime("%Y%m%d")
        )
        figures: Figures = {"instance": f"{files.size:,} bytes, {BATCH} in an upload, {CLIENTS} clients"}
        async with run_server(data, PORT) as base:
            own = await _measure(f"{base}/dicomweb", world.hospital_token, world.doctor_token, files, seconds)
            studies = 1_000_000 if full else 20_000
            searched = await _add_studies(platform, world, base, studies)
            own["search among many studies"] = await _searches(
                f"{base}/dicomweb", world.doctor_token, searched.identifiers[0].value, seconds
            )
            if full:
                figures |= await _memory(base, world.hospital_token, files)
        for name, result in own.items():
            figures |= load_figures(f"esante: {name}", result)
        figures["esante: studies of all persons"] = f"{studies:,}, of the person searched {OWN_STUDIES}"
    if shutil.which("Orthanc") is None or not _PLUGIN.exists():
        return figures | {"Orthanc": "not installed (apt install orthanc orthanc-dicomweb)"}
    async with _orthanc(data / "orthanc") as base:
        other = await _measure(f"{base}/dicom-web", "", "", files, seconds)
    for name, result in other.items():
        figures |= load_figures(f"Orthanc: {name}", result)
        figures[f"ratio: {name}"] = f"{own[name].rate / result.rate:.1f} x"
    return figures


async def _measure(url: str, writer: str, reader: str, files: CtFiles, seconds: float) -> dict[str, LoadResult]:
    """Return the loads by name; `writer` and `reader`: bearer tokens."""
    study, series, _ = files.uids(0, 0)
    base = url.rsplit("/", 1)[0]
    for first in range(0, INSTANCES, BATCH):
        body = files.upload(0, first, BATCH)
        await _send(base, build_request("POST", f"{url}/studies", writer, body, _TYPE))
    uploads = [files.upload(number + 1, 0, BATCH) for number in range(min(150, int(15 * seconds)))]
    found = {
        "uploads": await generate_load(
            base,
            lambda number: build_request("POST", f"{url}/studies", writer, uploads[number % len(uploads)], _TYPE),
            clients=CLIENTS,
            seconds=seconds,
            max_requests=len(uploads) - CLIENTS,
        )
    }
    at_series = f"{url}/studies/{study}/series/{series}"

    def frame(number: int) -> bytes:
        address = f"{at_series}/instances/{files.uids(0, number % INSTANCES)[2]}/frames/1"
        accept = {"Accept": 'multipart/related; type="application/octet-stream"'}
        return build_request("GET", address, reader, headers=accept)

    def headers(number: int) -> bytes:
        return build_request("GET", f"{at_series}/metadata", reader, headers={"Accept": "application/dicom+json"})

    loads: dict[str, Callable[[int], bytes]] = {"frames": frame, "headers of 100 instances": headers}
    for name, make in loads.items():
        found[name] = await generate_load(base, make, clients=CLIENTS, seconds=seconds)
    return found


async def _searches(url: str, token: str, patient_id: str, seconds: float) -> LoadResult:
    request = build_request(
        "GET", f"{url}/studies?PatientID={patient_id}", token, headers={"Accept": "application/dicom+json"}
    )
    return await generate_load(url.rsplit("/", 1)[0], lambda number: request, clients=1, seconds=seconds)


async def _send(base: str, request: bytes) -> None:
    result = await generate_load(base, lambda number: request, clients=1, seconds=0, max_requests=1)
    if set(result.statuses) != {200}:
        raise RuntimeError(f"an upload was answered {result.statuses}")


async def _add_studies(platform: Platform, world: BenchWorld, base: str, count: int) -> Person:
    """Add studies of other persons, five each, with their documents, as a country has them; return whom to search."""
    person = await platform[Directory].person(world.persons[1])
    if person is None:
        raise LookupError("no person")
    files = CtFiles(
        f"{person.family}^{person.given[0]}", person.identifiers[0].value, person.birth_date.strftime("%Y%m%d")
    )
    for number in range(OWN_STUDIES):
        body = files.upload(90_000 + number, 0, BATCH)
        await _send(base, build_request("POST", f"{base}/dicomweb/studies", world.hospital_token, body, _TYPE))
    of_person = "md5('person ' || n / 5)::uuid"
    values = {
        "person_id": of_person,
        "study_uid": f"'{_ROOT}.9.' || n",
        "document_id": "md5('document ' || n)::uuid",
        "document_series_id": "md5('document ' || n)::uuid",
        "series_id": "md5('document ' || n)::uuid",
        "sha256": "decode(md5('document ' || n), 'hex')",
    }
    for first in range(0, count, 50_000):
        for table in ("imaging_study", "imaging_study_person", "document"):
            columns = [*TABLES[table].columns]
            chosen = ", ".join(values.get(name, f"d.{name}") for name in columns)
            await platform.db.fetch(
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT {chosen}"
                f" FROM (SELECT * FROM {table} WHERE person_id = $1 LIMIT 1) d, generate_series($2::bigint, $3) n",
                person.id,
                first,
                min(first + 50_000, count) - 1,
            )
    await platform.db.fetch("ANALYZE imaging_study, imaging_study_person, document")
    return person


async def _memory(base: str, token: str, files: CtFiles) -> Figures:
    """Return how much memory the workers had before a study of 2 GB came in as one upload, and at most meanwhile."""
    before = max(_resident("VmRSS"))
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    parts = (files.upload(80_000, number, 1)[: -len(f"--{_BOUNDARY}--\r\n")] for number in range(LARGE))
    size = LARGE * len(files.upload(80_000, 0, 1)[: -len(f"--{_BOUNDARY}--\r\n")]) + len(f"--{_BOUNDARY}--\r\n")
    head = build_request("POST", f"{base}/dicomweb/studies", token, b"", _TYPE)
    writer.write(head.replace(b"Content-Length: 0", f"Content-Length: {size}".encode()))
    for part in parts:
        writer.write(part)
        await writer.drain()
    writer.write(f"--{_BOUNDARY}--\r\n".encode())
    await writer.drain()
    status = await reader.readline()
    writer.close()
    most = max(_resident("VmHWM"))
    return {
        "memory of a worker while 2 GB come in": f"{most:,.0f} MB, {before:,.0f} MB before ({status.decode().strip()})"
    }


def _resident(field: str) -> list[float]:
    """Return a figure of the memory of each worker in MB (proc_pid_status)."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if "spawn_main" in (folder / "cmdline").read_text():
                lines = (folder / "status").read_text().splitlines()
                found += [int(line.split()[1]) / 1_000 for line in lines if line.startswith(f"{field}:")]
        except OSError:
            continue  # ended in between
    return found


@asynccontextmanager
async def _orthanc(folder: Path) -> AsyncIterator[str]:
    """Run Orthanc with its own folder; yield its address."""
    folder.mkdir()
    (folder / "orthanc.json").write_text(
        json.dumps(
            {
                "StorageDirectory": str(folder / "storage"),
                "IndexDirectory": str(folder / "storage"),
                "Plugins": [str(_PLUGIN)],
                "HttpPort": ORTHANC_PORT,
                "DicomServerEnabled": False,
                "RemoteAccessAllowed": False,
                "AuthenticationEnabled": False,
                "SyncStorageArea": True,
                "KeepAlive": True,
                "DicomWeb": {
                    "Enable": True,
                    "Root": "/dicom-web/",
                    "StudiesMetadata": "Full",
                    "SeriesMetadata": "Full",
                },
            }
        )
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["Orthanc", folder / "orthanc.json"], stdout=log, stderr=log)
    try:
        base = f"http://127.0.0.1:{ORTHANC_PORT}"
        for _ in range(200):
            try:
                (await asyncio.open_connection("127.0.0.1", ORTHANC_PORT))[1].close()
                break
            except OSError:
                await asyncio.sleep(0.1)
        await asyncio.sleep(0.5)
        yield base
    finally:
        process.terminate()
        process.wait()


PARTS = {"images": images}
