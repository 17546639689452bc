"""Invented examinations of the demonstration, and their studies as DICOM files."""

import io
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from random import Random
from typing import Any

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    MRImageStorage,
    generate_uid,
)

from esante.identity.directory import Person
from esante.services.imaging.demo import phantoms
from esante.services.imaging.demo.dose_reports import ct_dose_report, xray_dose_report

LANGUAGES = ("fr", "de", "en", "lb")
_CLASSES = {
    "CT": CTImageStorage,
    "MR": MRImageStorage,
    "DX": DigitalXRayImageStorageForPresentation,
    "MG": DigitalMammographyXRayImageStorageForPresentation,
}
_WINDOWS = {"head": (40, 80), "thorax": (40, 400), "chest": (2000, 4000), "knee": (500, 1000), "breast": (1250, 2500)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """One examination of a person: what `data/demo_examinations.toml` says of it, and its day."""

    number: int
    person: Person
    kind: Mapping[str, Any]
    day: date
    lesion: bool
    dose: float

    @property
    def study_uid(self) -> str:
        """The Study Instance UID, the same in each load."""
        return self.uid("study")

    @property
    def accession_number(self) -> str:
        """The accession number."""
        return f"DEMO{self.day:%y%m%d}{self.number:02d}"

    @property
    def language(self) -> str:
        """The language of the study and its report."""
        return next((one for one in self.person.languages if one in LANGUAGES), LANGUAGES[0])

    @property
    def title(self) -> str:
        """What was examined."""
        return str(self.kind["title"][self.language])

    @property
    def finding(self) -> str:
        """The text of the report."""
        return str(self.kind["abnormal" if self.lesion else "normal"][self.language])

    def uid(self, *parts: object) -> str:
        """Return a UID of this examination."""
        return generate_uid(entropy_srcs=["esante demo", str(self.person.id), str(self.number), *map(str, parts)])


def draw_examinations(persons: Sequence[Person], today: date) -> list[Examination]:
    """Return the examinations of those of the persons who have some, as seen from a day."""
    return [
        Examination(
            number=number,
            person=persons[one["person"]],
            kind=_table()[one["examination"]],
            day=today - timedelta(days=one["ago"]),
            lesion=one.get("lesion", False),
            dose=one.get("dose", 0.0),
        )
        for number, one in enumerate(_table()["study"])
        if one["person"] < len(persons)
    ]


def study_files(examination: Examination) -> Iterator[bytes]:
    """Yield the instances of an examination as DICOM files: its images, and its dose report where it has a dose."""
    for number, (series, laterality, pixels) in enumerate(_pictures(examination), 1):
        yield _file(_image(examination, series, laterality, number, pixels))
    if examination.dose:
        yield _file(_dose_report(examination))


@cache
def _table() -> Mapping[str, Any]:
    path = files("esante.services.imaging") / "data" / "demo_examinations.toml"
    return tomllib.loads(path.read_text("utf-8"))


def _pictures(examination: Examination) -> Iterator[tuple[str, str, phantoms.Image]]:
    """Yield series description, laterality and pixels of each image."""
    seed, lesion, series = examination.number, examination.lesion, str(examination.kind["series"])
    match examination.kind["phantom"]:
        case "head":
            volume = phantoms.head_volume(seed, lesion=lesion)
        case "thorax":
            volume = phantoms.thorax_volume(seed, lesion=lesion)
        case "knee":
            volume = phantoms.knee_volume(seed, lesion=lesion)
        case "chest":
            volume = phantoms.chest_radiograph(seed, lesion=lesion)[None]
        case _:
            for side in ("R", "L"):
                yield (
                    f"{side} {series}",
                    side,
                    phantoms.mammogram(seed, left=side == "L", lesion=lesion and side == "L"),
                )
            return
    for pixels in volume:
        yield series, "", pixels


def _image(examination: Examination, series: str, laterality: str, number: int, pixels: phantoms.Image) -> Dataset:
    kind, image = examination.kind, _data_set(examination, _CLASSES[examination.kind["modality"]], f"image {number}")
    image.Modality, image.BodyPartExamined = kind["modality"], kind["part"]
    image.SeriesInstanceUID = examination.uid("series", series)
    image.SeriesDescription, image.SeriesNumber, image.InstanceNumber = series, 2 if laterality == "L" else 1, number
    if laterality:
        image.ImageLaterality, image.Laterality = laterality, laterality
    rows, columns = pixels.shape
    image.Rows, image.Columns, image.SamplesPerPixel, image.PhotometricInterpretation = rows, columns, 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 1
    image.WindowCenter, image.WindowWidth = _WINDOWS[kind["phantom"]]
    image.RescaleIntercept, image.RescaleSlope = 0, 1
    if kind["modality"] in ("CT", "MR"):
        image.PixelSpacing, image.SliceThickness = [1.2, 1.2], 8
        image.ImagePositionPatient, image.ImageOrientationPatient = [-154, -154, 8 * number], [1, 0, 0, 0, 1, 0]
        image.FrameOfReferenceUID = examination.uid("frame of reference")
    image.PixelData = pixels.astype("<i2").tobytes()
    return image


def _dose_report(examination: Examination) -> Dataset:
    kind, event = examination.kind, examination.uid("irradiation")
    region = tuple(kind["dose_region"])
    if kind["modality"] == "CT":
        report = ct_dose_report([(event, region, examination.dose)])
    else:
        report = xray_dose_report([(event, region, examination.dose)])
    found = _data_set(examination, report.SOPClassUID, "dose report")
    found.update(report)
    found.Modality, found.SeriesInstanceUID = "SR", examination.uid("series", "dose")
    found.SeriesDescription, found.SeriesNumber, found.InstanceNumber = "Dose report", 999, 1
    return found


def _data_set(examination: Examination, sop_class: UID, name: str) -> Dataset:
    """Return what every instance of an examination has."""
    person, data, time = examination.person, Dataset(), Random(examination.number)  # noqa: S311 - invented data
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SpecificCharacterSet = "ISO_IR 192"
    data.SOPClassUID, data.SOPInstanceUID = sop_class, examination.uid(name)
    data.file_meta.MediaStorageSOPClassUID, data.file_meta.MediaStorageSOPInstanceUID = sop_class, data.SOPInstanceUID
    data.StudyInstanceUID, data.StudyID = examination.study_uid, str(examination.number + 1)
    data.StudyDate = data.SeriesDate = data.ContentDate = examination.day.strftime("%Y%m%d")
    data.StudyTime = data.SeriesTime = data.ContentTime = f"{time.randint(8, 17):02d}{time.randint(0, 59):02d}00"
    data.StudyDescription, data.AccessionNumber = examination.title, examination.accession_number
    data.PatientName = f"{person.family}^{' '.join(person.given)}"
    data.PatientID = person.identifiers[0].value
    data.PatientBirthDate = person.birth_date.strftime("%Y%m%d")
    data.PatientSex = {"female": "F", "male": "M"}.get(person.sex, "O")
    data.Manufacturer, data.ImageType = "esante", ["DERIVED", "PRIMARY"]
    data.ImageComments = "Computed phantom of the demonstration"
    return data


def _file(data: Dataset) -> bytes:
    out = io.BytesIO()
    data.preamble = bytes(128)
    data.save_as(out, enforce_file_format=True)
    return out.getvalue()
