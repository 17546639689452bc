"""Clients that others wrote: dicomweb-client and dicomtrolley, over real HTTP."""

import asyncio
import io

import numpy as np
import pytest
import requests
from dicomtrolley.core import Query
from dicomtrolley.qido_rs import QidoRS
from dicomtrolley.trolley import Trolley
from dicomtrolley.wado_rs import WadoRS
from dicomweb_client import DICOMwebClient
from pydicom import dcmread

from tests.support.dicom import ct_image, file_of, stow, study_files, uids


@pytest.fixture
async def session(world):
    """A session of `requests` of each requester by name."""
    from datetime import timedelta

    async def of(name: str, level: str):
        token = await world.access.issue_token(world.people[name], frozenset({f"{level}/*.cruds"}), timedelta(hours=1))
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {token}"
        return session

    return of


async def test_dicomweb_client_stores_searches_and_retrieves(imaging, world, person, session):
    images = [ct_image(person, StudyInstanceUID="1.2.7", SeriesInstanceUID="1.2.7.1") for _ in range(2)]

    def work(url: str, hospital, doctor) -> None:
        answer = DICOMwebClient(url, session=hospital).store_instances(images)
        assert len(answer.ReferencedSOPSequence) == 2
        client = DICOMwebClient(url, session=doctor)
        [study] = client.search_for_studies(search_filters={"PatientID": person.identifiers[0].value})
        assert study["0020000D"]["Value"] == ["1.2.7"]
        [series] = client.search_for_series("1.2.7")
        assert series["00201209"]["Value"] == [2]
        found = client.search_for_instances("1.2.7", "1.2.7.1")
        assert {one["00080018"]["Value"][0] for one in found} == {image.SOPInstanceUID for image in images}
        keys = "1.2.7", "1.2.7.1", images[0].SOPInstanceUID
        assert client.retrieve_instance_metadata(*keys)["00100020"]["Value"] == [images[0].PatientID]
        assert client.retrieve_instance(*keys).PixelData == images[0].PixelData
        assert client.retrieve_instance_frames(*keys, [1]) == [images[0].PixelData]
        assert len(client.retrieve_study("1.2.7")) == len(client.retrieve_series("1.2.7", "1.2.7.1")) == 2
        assert len(client.retrieve_series_metadata("1.2.7", "1.2.7.1")) == 2
        uri = client.retrieve_instance_metadata(*keys)["7FE00010"]["BulkDataURI"]
        address = uri.replace("http://esante.test/dicomweb", url)
        assert client.retrieve_bulkdata(address) == [images[0].PixelData]
        picture = client.retrieve_instance_rendered(*keys, media_types=("image/png",))
        assert picture.startswith(b"\x89PNG")

    async with imaging.serving() as url:
        await asyncio.to_thread(work, url, await session("hospital", "system"), await session("doctor", "user"))


async def test_dicomtrolley_finds_and_downloads(imaging, world, person, session):
    files = study_files(person, series=2, instances=2)

    def work(url: str, doctor) -> list:
        trolley = Trolley(searcher=QidoRS(doctor, url), downloader=WadoRS(doctor, url))
        studies = trolley.find_studies(Query(PatientID=person.identifiers[0].value))
        assert [study.uid for study in studies] == [uids(files[0])[0]]
        return list(trolley.fetch_all_datasets(studies))

    async with imaging.client(world.people["hospital"]) as client:
        await stow(client, files)
    async with imaging.serving() as url:
        found = await asyncio.to_thread(work, url, await session("doctor", "user"))
    assert sorted(one.SOPInstanceUID for one in found) == sorted(uids(file)[2] for file in files)
    for one in found:
        [file] = [file for file in files if uids(file)[2] == one.SOPInstanceUID]
        assert np.array_equal(one.pixel_array, dcmread(io.BytesIO(file)).pixel_array)
        assert file_of(dcmread(io.BytesIO(file))) == file
