"""WADO-RS: instances, headers, frames, bulk data, pictures, ZIP files; ranges, media types, transfer syntaxes."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.encaps import get_frame
from pydicom.uid import ExplicitVRLittleEndian

from tests.support.dicom import ct_image, file_of, pydicom_file, stow, study_files, uids


def path_of(file: bytes, *more: str) -> str:
    study, series, instance = uids(file)
    return "/".join((f"/dicomweb/studies/{study}/series/{series}/instances/{instance}", *more))


def parts_of(response) -> list[tuple[dict, bytes]]:
    """Return headers and bodies of a multipart response."""
    boundary = response.headers["content-type"].split("boundary=")[1].encode()
    found = []
    for part in response.content.split(b"--" + boundary)[1:-1]:
        head, _, body = part.partition(b"\r\n\r\n")
        lines = (line.split(": ", 1) for line in head.decode().strip().split("\r\n"))
        found.append(({name.lower(): value for name, value in lines}, body[:-2]))
    assert response.content.endswith(b"--" + boundary + b"--\r\n")
    return found


@pytest.fixture
async def study(imaging, world, person):
    """The files of a stored study of two series."""
    files = study_files(person, series=2, instances=2)
    async with imaging.client(world.people["hospital"]) as client:
        assert (await stow(client, files)).status_code == 200
    return files


@pytest.fixture
async def doctor(imaging, world):
    """A client of a doctor in the circle of the person."""
    async with imaging.client(world.people["doctor"]) as client:
        yield client


async def test_study_and_series_are_sent_as_parts(study, doctor):
    study_uid, series_uid, _ = uids(study[0])
    whole = await doctor.get(f"/dicomweb/studies/{study_uid}")
    assert sorted(body for _, body in parts_of(whole)) == sorted(study)
    assert int(whole.headers["content-length"]) == len(whole.content)
    series = await doctor.get(f"/dicomweb/studies/{study_uid}/series/{series_uid}")
    assert [body for _, body in parts_of(series)] == study[:2]
    assert parts_of(series)[0][0]["content-type"] == "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"


async def test_single_instance_has_its_digest_and_ranges(study, doctor):
    headers = {"Accept": "application/dicom"}
    whole = await doctor.get(path_of(study[0]), headers=headers)
    assert whole.content == study[0]
    part = await doctor.get(path_of(study[0]), headers=headers | {"Range": "bytes=128-131"})
    assert (part.status_code, part.content) == (206, b"DICM")
    assert part.headers["content-range"] == f"bytes 128-131/{len(study[0])}"
    tail = await doctor.get(path_of(study[0]), headers=headers | {"Range": "bytes=-4"})
    assert tail.content == study[0][-4:]
    beyond = await doctor.get(path_of(study[0]), headers=headers | {"Range": "bytes=99999999-"})
    assert beyond.status_code == 416
    again = await doctor.get(path_of(study[0]), headers=headers | {"If-None-Match": whole.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_zip_has_generated_names_and_all_files(study, doctor):
    response = await doctor.get(f"/dicomweb/studies/{uids(study[0])[0]}", headers={"Accept": "application/zip"})
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.namelist() == [f"IMAGES/IM00000{number}" for number in range(1, 5)]
        assert sorted(map(archive.read, archive.namelist())) == sorted(study)


async def test_metadata_is_dicom_json_with_addresses_of_bulk_data(study, doctor):
    response = await doctor.get(path_of(study[0], "metadata"))
    assert response.headers["content-type"] == "application/dicom+json"
    [header] = response.json()
    assert header["00081030"] == {"vr": "LO", "Value": ["CT head"]}
    assert header["7FE00010"]["BulkDataURI"].endswith(path_of(study[0], "bulkdata/7FE00010"))
    bulk = await doctor.get(path_of(study[0], "bulkdata/7FE00010"))
    assert [body for _, body in parts_of(bulk)] == [dcmread(io.BytesIO(study[0])).PixelData]


async def test_long_binary_value_is_bulk_data_by_its_address(imaging, world, person, doctor):
    image = ct_image(person)
    image.add_new(0x00420011, "OB", b"%PDF-" + bytes(5_000) + b"!")
    file = file_of(image)
    async with imaging.client(world.people["hospital"]) as client:
        await stow(client, [file])
    [header] = (await doctor.get(path_of(file, "metadata"))).json()
    address = header["00420011"]["BulkDataURI"]
    value = await doctor.get(address, headers={"Accept": "application/octet-stream", "Range": "bytes=0-4"})
    assert (value.status_code, value.content) == (206, b"%PDF-")
    for wrong in ("0-99999999", "5-0", "a-b", "1", "12345678"):
        assert (await doctor.get(path_of(file, f"bulkdata/{wrong}"))).status_code == 404


async def test_native_frames_are_sent_by_number(imaging, world, person, doctor):
    pixels = np.arange(3 * 256, dtype="<u2")
    file = file_of(ct_image(person, NumberOfFrames=3, PixelData=pixels.tobytes()))
    async with imaging.client(world.people["hospital"]) as client:
        await stow(client, [file])
    response = await doctor.get(path_of(file, "frames/3,1"))
    bodies = [body for _, body in parts_of(response)]
    assert bodies == [pixels[512:].tobytes(), pixels[:256].tobytes()]
    single = await doctor.get(path_of(file, "frames/2"), headers={"Accept": "application/octet-stream"})
    assert single.content == pixels[256:512].tobytes()
    assert (await doctor.get(path_of(file, "frames/4"))).status_code == 404
    for wrong in ("0", "x", "1,", "-1"):
        assert (await doctor.get(path_of(file, f"frames/{wrong}"))).status_code == 400


async def compressed(imaging, world, person, name: str) -> bytes:
    """Store a compressed file of pydicom for a person; return it."""
    image = dcmread(pydicom_file(name))
    image.PatientName, image.PatientID = f"{person.family}^{person.given[0]}", person.identifiers[0].value
    image.PatientBirthDate, image.PatientSex = person.birth_date.strftime("%Y%m%d"), "F"
    template = ct_image(person)
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(image, keyword, getattr(template, keyword))
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    file = file_of(image)
    async with imaging.client(world.people["hospital"]) as client:
        answer = await stow(client, [file])
        assert answer.status_code == 200, answer.text
    return file


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("MR_small_RLE.dcm", "image/dicom-rle"),
        ("MR_small_jp2klossless.dcm", "image/jp2"),
        ("MR_small_jpeg_ls_lossless.dcm", "image/jls"),
        ("JPEG-LL.dcm", "image/jpeg"),
    ],
)
async def test_compressed_frame_is_sent_as_stored_or_decoded(imaging, world, person, doctor, name, media_type):
    file = await compressed(imaging, world, person, name)
    image = dcmread(io.BytesIO(file))
    syntax = image.file_meta.TransferSyntaxUID
    as_stored = await doctor.get(path_of(file, "frames/1"))
    [(headers, body)] = parts_of(as_stored)
    assert headers["content-type"] == f"{media_type}; transfer-syntax={syntax}"
    assert body == get_frame(image.PixelData, 0, number_of_frames=1)
    octets = await doctor.get(
        path_of(file, "frames/1"),
        headers={"Accept": 'multipart/related; type="application/octet-stream"; transfer-syntax=*'},
    )
    assert parts_of(octets) == [
        ({**headers, "content-type": f"application/octet-stream; transfer-syntax={syntax}"}, body)
    ]
    decoded = await doctor.get(
        path_of(file, "frames/1"), headers={"Accept": 'multipart/related; type="application/octet-stream"'}
    )
    [(headers, body)] = parts_of(decoded)
    assert headers["content-type"].endswith(f"transfer-syntax={ExplicitVRLittleEndian}")
    assert body == image.pixel_array.tobytes()


async def test_instance_is_transcoded_when_explicit_little_endian_is_wanted(imaging, world, person, doctor):
    file = await compressed(imaging, world, person, "MR_small_jpeg_ls_lossless.dcm")
    response = await doctor.get(
        path_of(file), headers={"Accept": f"application/dicom; transfer-syntax={ExplicitVRLittleEndian}"}
    )
    found = dcmread(io.BytesIO(response.content))
    assert found.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert np.array_equal(found.pixel_array, dcmread(io.BytesIO(file)).pixel_array)


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ((), "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.50"),
        ((), "image/png"),
        (("frames/1",), "image/jpeg"),
        (("metadata",), "application/dicom+xml"),
        (("rendered",), "image/gif"),
    ],
)
async def test_what_cannot_be_sent_is_406(study, doctor, path, accept):
    response = await doctor.get(path_of(study[0], *path), headers={"Accept": accept})
    assert response.status_code == 406


async def test_rendered_picture_shows_the_window(study, doctor):
    response = await doctor.get(path_of(study[0], "rendered"), headers={"Accept": "image/png"})
    picture = np.asarray(Image.open(io.BytesIO(response.content)))
    assert (picture.shape, picture[0, 0], picture[-1, -1]) == ((16, 16), 0, 255)
    narrow = await doctor.get(
        path_of(study[0], "frames/1/rendered"), params={"window": "100,2,linear", "accept": "image/png"}
    )
    picture = np.asarray(Image.open(io.BytesIO(narrow.content))).ravel()
    assert set(picture[:98]) == {0}
    assert set(picture[102:]) == {255}


async def test_thumbnail_is_small_and_of_each_level(imaging, world, person, doctor):
    image = ct_image(person, PixelData=bytes(2 * 300 * 400))
    image.Rows, image.Columns = 300, 400
    file = file_of(image)
    async with imaging.client(world.people["hospital"]) as client:
        await stow(client, [file])
    study, series, _ = uids(file)
    for path in (f"/dicomweb/studies/{study}", f"/dicomweb/studies/{study}/series/{series}", path_of(file)):
        response = await doctor.get(f"{path}/thumbnail")
        assert response.headers["content-type"] == "image/jpeg"
        assert Image.open(io.BytesIO(response.content)).size == (128, 96)


@pytest.mark.parametrize("query", ["quality=0", "quality=x", "window=1", "window=a,b", "window=1,0", "viewport=0,0"])
async def test_invalid_parameters_of_pictures_are_refused(study, doctor, query):
    assert (await doctor.get(path_of(study[0], f"rendered?{query}"))).status_code == 400


async def test_frame_that_no_codec_reads_is_406_and_the_server_goes_on(imaging, world, person, doctor):
    file = await compressed(imaging, world, person, "MR_small_jpeg_ls_lossless.dcm")
    image = dcmread(io.BytesIO(file))
    template = ct_image(person)
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = template.SOPInstanceUID
    from pydicom.encaps import encapsulate

    image.PixelData = encapsulate([b"\xff\xd8 no picture at all "])
    broken = file_of(image)
    async with imaging.client(world.people["hospital"]) as client:
        assert (await stow(client, [broken])).status_code == 200
    assert (await doctor.get(path_of(broken, "rendered"))).status_code == 406
    assert (await doctor.get(path_of(file, "rendered"))).status_code == 200


@pytest.mark.parametrize("uid", ["1.2%00", "..%2F..%2Fetc", "1" * 65, "x", "1.2.3%27"])
async def test_what_is_no_uid_in_the_path_is_not_found(study, doctor, uid):
    study_uid, series_uid, instance_uid = uids(study[0])
    for path in (
        f"{uid}/series/{series_uid}/instances/{instance_uid}",
        f"{study_uid}/series/{uid}/instances/{instance_uid}",
        f"{study_uid}/series/{series_uid}/instances/{uid}",
    ):
        for end in ("", "/metadata", "/frames/1", "/rendered"):
            assert (await doctor.get(f"/dicomweb/studies/{path}{end}")).status_code == 404
    assert (await doctor.get(f"/dicomweb/studies/{uid}/series")).status_code in (204, 404)
    assert (await doctor.get(f"/dicomweb/studies?StudyInstanceUID={uid}")).status_code == 204
    assert (await doctor.get(f"/dicomweb/studies?PatientID={uid}")).status_code in (204, 400)
    found = await doctor.get(f"/dicomweb/studies/{study_uid}/instances?SOPInstanceUID={uid}&SeriesInstanceUID={uid}")
    assert found.status_code == 204
