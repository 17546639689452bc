"""The images that the kit stores for its test patient, and the multipart bodies of DICOMweb (PS3.18)."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import Message
from typing import Any

from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from esante.services.conformance.kits.model import Fault
from esante.services.conformance.kits.session import Reply, Session

DICOM, DICOM_JSON = "application/dicom", "application/dicom+json"
STUDY_DATE = "20010203"
PIXELS = bytes(range(256)) * 2
"""The pixels of each image: 16 by 16, 16 bits."""
_CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
_BOUNDARY = "boundary-of-the-kit"


@dataclass(frozen=True, slots=True)
class NewStudy:
    """A study of one series with two images: its UIDs, and the files."""

    study: str
    series: str
    instances: tuple[str, str]
    files: tuple[bytes, bytes]

    @property
    def path(self) -> str:
        """The path of the study."""
        return f"studies/{self.study}"

    @property
    def series_path(self) -> str:
        """The path of the series."""
        return f"{self.path}/series/{self.series}"

    def instance_path(self, place: int = 0) -> str:
        """Return the path of an image."""
        return f"{self.series_path}/instances/{self.instances[place]}"


def new_study(session: Session) -> NewStudy:
    """Return a new study of the test patient."""
    study, series = str(generate_uid()), str(generate_uid())
    instances = (str(generate_uid()), str(generate_uid()))
    first, second = (_file(_image(session, study, series, uid, number)) for number, uid in enumerate(instances, 1))
    return NewStudy(study, series, instances, (first, second))


def _image(session: Session, study: str, series: str, instance: str, number: int) -> Dataset:
    image = Dataset()
    image.SOPClassUID, image.SOPInstanceUID = _CT_IMAGE, instance
    image.StudyInstanceUID, image.SeriesInstanceUID = study, series
    image.StudyDate, image.StudyTime, image.AccessionNumber, image.StudyID = STUDY_DATE, "101500", "", "KIT"
    image.StudyDescription, image.SeriesDescription, image.Modality = "Conformance", "Conformance", "CT"
    image.SeriesNumber, image.InstanceNumber = 1, number
    image.PatientID = session.option("patient-id")
    image.PatientName = session.option("patient-name")
    image.PatientBirthDate = session.options.get("birth-date", "")
    image.PatientSex = session.options.get("sex", "")
    image.Rows = image.Columns = 16
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PixelRepresentation = 1, "MONOCHROME2", 0
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit = 15
    image.PixelData = PIXELS
    return image


def _file(image: Dataset) -> bytes:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    image.file_meta, image.preamble = meta, bytes(128)
    out = io.BytesIO()
    image.save_as(out, enforce_file_format=True)
    return out.getvalue()


def headers_of(session: Session, accept: str = DICOM_JSON) -> dict[str, str]:
    """Return the headers of a request with the token."""
    return {"Authorization": f"Bearer {session.option('token')}", "Accept": accept}


async def store(session: Session, files: Sequence[bytes], path: str = "studies") -> Reply:
    """Return the answer to files that are stored (STOW-RS)."""
    parts = [f"--{_BOUNDARY}\r\nContent-Type: {DICOM}\r\n\r\n".encode() + file + b"\r\n" for file in files]
    content = b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()
    media = f'multipart/related; type="{DICOM}"; boundary={_BOUNDARY}'
    return await session.send("POST", path, content=content, headers=headers_of(session) | {"Content-Type": media})


def parts_of(reply: Reply) -> list[bytes]:
    """Return the bodies of the parts of a multipart answer. Raises: `Fault` for another one."""
    media = reply.headers.get("content-type", "")
    message = Message()
    message["content-type"] = media
    boundary = message.get_param("boundary")
    if message.get_content_type() != "multipart/related" or not isinstance(boundary, str):
        raise Fault(f"The answer has the media type {media[:100]!r}.", "Answer with multipart/related.")
    pieces = (b"\r\n" + reply.body).split(f"\r\n--{boundary}".encode())[1:-1]
    return [piece.partition(b"\r\n\r\n")[2] for piece in pieces]


def read_image(content: bytes) -> Dataset:
    """Return an image. Raises: `Fault` when it is no DICOM file."""
    try:
        return dcmread(io.BytesIO(content))
    except (InvalidDicomError, ValueError, OSError, EOFError) as error:
        raise Fault(f"A part is no DICOM file: {type(error).__name__}.", "Answer with files of PS3.10.") from error


def value_of(found: dict[str, Any], tag: str) -> Any:
    """Return the first value of an attribute of the DICOM JSON model, None when it has none."""
    values = found.get(tag, {}).get("Value") or [None]
    return values[0]
