"""Every file of pydicom and pydicom-data: stored and read back identical, searched and rendered, or refused."""

import io
import warnings
from collections import Counter
from datetime import date
from pathlib import Path

import data_store
import pydicom
import pytest
from pydicom import dcmread

from esante.services.imaging.ingest.header import read_header
from esante.services.imaging.ingest.limits import Rejected
from tests.support.dicom import reasons, stow, uids

FOLDERS = (Path(pydicom.__file__).parent / "data", Path(data_store.__file__).parent)
NOT_RENDERED = {
    "no pixel data": "a report, a plan, a waveform, a structure",
    "codec": "pixel data that are damaged on purpose, or in a form that no codec here reads",
}


def taken() -> dict[str, bytes]:
    """Return the files that are DICOM with all UIDs, one for each SOP Instance UID."""
    found = {}
    for folder in FOLDERS:
        for path in sorted(folder.rglob("*")):
            data = path.read_bytes() if path.is_file() else b""
            try:
                header = read_header(data, len(data))
            except Rejected:
                continue
            found.setdefault(header.sop_instance_uid, data)
    return found


async def person_of(world, data: bytes):
    """Register the person whom a file names; return them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = dcmread(io.BytesIO(data), stop_before_pixels=True)
        name = image.get("PatientName")
        family = (name.family_name or name.ideographic or "") if name else ""
        given = (name.given_name,) if name and name.given_name else ()
        day = str(image.get("PatientBirthDate") or "")
    born = (
        date(int(day[:4]), int(day[4:6]), int(day[6:8])) if len(day) >= 8 and day[:8].isdigit() else date(1980, 5, 17)
    )
    sex = {"F": "female", "M": "male"}.get(str(image.get("PatientSex") or ""), "unknown")
    return await world.person(str(family).strip() or "Unknown", given=given or ("Unknown",), birth_date=born, sex=sex)


@pytest.mark.long
async def test_every_file_is_read_back_identical_and_rendered_or_refused_with_a_reason(imaging, world):
    found: Counter = Counter()
    files = taken()
    persons: dict = {}
    async with imaging.client(world.people["hospital"]) as client:
        for uid, data in files.items():
            study, series, _ = uids(data)
            if study not in persons:
                persons[study] = await person_of(world, data)
            identifier = persons[study].identifiers[0]
            answer = await stow(client, [data], patient=f"{identifier.system}|{identifier.value}")
            if answer.status_code != 200:
                found[f"refused {reasons(answer)[0]:04X}"] += 1
                continue
            path = f"/dicomweb/studies/{study}/series/{series}/instances/{uid}"
            got = await client.get(path, headers={"Accept": "application/dicom"})
            assert got.content == data
            rows = (await client.get(f"/dicomweb/studies/{study}/instances", params={"SOPInstanceUID": uid})).json()
            assert [row["00080018"]["Value"] for row in rows] == [[uid]]
            picture = await client.get(f"{path}/rendered")
            if picture.status_code == 406:
                absent = "no pixel data" in picture.json()["error_description"]
                found["no pixel data" if absent else "codec"] += 1
            else:
                assert picture.status_code == 200, picture.text
                found["rendered"] += 1
    assert found["rendered"] >= 0.6 * len(files), found
    assert found["codec"] <= 8, found
    assert sum(count for name, count in found.items() if name.startswith("refused")) <= 12, found
