"""The DICOMDIR of a study (PS3.3, annex F; PS3.10, 8): which file is what, for programs that read media.

It is made of what is stored about the instances; their files are not read. pydicom's `FileSet`, which makes the same,
takes time by the square of the instances.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from uuid import NAMESPACE_OID, uuid5

from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MediaStorageDirectoryStorage

from esante.services.imaging.archive.levels import has_picture
from esante.services.imaging.model import Instance, Series, Study

_PATIENT = {"00100010": None, "00100020": "-"}
_STUDY = {
    "00080020": "19000101",
    "00080030": "000000",
    "00080050": None,
    "00081030": None,
    "0020000D": None,
    "00200010": "-",
}
_IN_USE = 0xFFFF


@dataclass(frozen=True, slots=True)
class Media:
    """The bytes of a DICOMDIR, and the path of each instance by its UID (components in capitals, PS3.10, 8.2)."""

    dicomdir: bytes
    paths: Mapping[str, str]


@dataclass(slots=True)
class _Record:
    """A directory record, and those one level below it."""

    data: Dataset
    children: "list[_Record]"


def lay_out(study: Study, series: Sequence[Series], instances: Sequence[Instance]) -> Media:
    """Return the DICOMDIR of a study and where its instances are; it names pictures, the others are in `OTHER`."""
    study_record = _Record(_record("STUDY", _required(study.attributes, _STUDY)), [])
    patient = _Record(_record("PATIENT", _required(study.attributes, _PATIENT)), [study_record])
    paths = paths_of(series, instances)
    for number, one in enumerate(series):
        record = _Record(_series_record(one, number), [])
        for instance in _pictures(one, instances):
            path = paths[instance.instance_uid]
            record.children.append(_Record(_image_record(instance, path, len(record.children) + 1), []))
        if record.children:
            study_record.children.append(record)
    return Media(_dicomdir(study.study_uid, patient), paths)


def paths_of(series: Sequence[Series], instances: Sequence[Instance]) -> Mapping[str, str]:
    """Return the path of each instance by its UID: pictures by series, the others in `OTHER`."""
    paths = {
        instance.instance_uid: f"PT000000/ST000000/SE{number:06d}/IM{place:06d}"
        for number, one in enumerate(series)
        for place, instance in enumerate(_pictures(one, instances))
    }
    others = [one.instance_uid for one in instances if one.instance_uid not in paths]
    return paths | {uid: f"OTHER/OT{number:06d}" for number, uid in enumerate(others)}


def _pictures(series: Series, instances: Sequence[Instance]) -> list[Instance]:
    return [one for one in instances if one.series_uid == series.series_uid and has_picture(one.attributes)]


def _series_record(series: Series, number: int) -> Dataset:
    found = _record("SERIES", _required(series.attributes, {"0020000E": None, "00200011": None}))
    found.Modality = series.modality or "OT"
    if found.get("SeriesNumber") is None:
        found.SeriesNumber = number + 1
    return found


def _image_record(instance: Instance, path: str, number: int) -> Dataset:
    found = _record("IMAGE", Dataset())
    found.ReferencedFileID = path.split("/")
    found.ReferencedSOPClassUIDInFile = instance.sop_class_uid
    found.ReferencedSOPInstanceUIDInFile = instance.instance_uid
    found.ReferencedTransferSyntaxUIDInFile = instance.transfer_syntax_uid
    found.InstanceNumber = number if instance.instance_number is None else instance.instance_number
    return found


def _record(kind: str, data: Dataset) -> Dataset:
    data.OffsetOfTheNextDirectoryRecord = 0
    data.RecordInUseFlag = _IN_USE
    data.OffsetOfReferencedLowerLevelDirectoryEntity = 0
    data.DirectoryRecordType = kind
    data.SpecificCharacterSet = "ISO_IR 192"
    return data


def _required(attributes: Mapping[str, object], tags: Mapping[str, str | None]) -> Dataset:
    """Return some elements of DICOM JSON, with a value where records must have one and there is none (PS3.3, F.5)."""
    found = Dataset.from_json({tag: attributes[tag] for tag in tags if tag in attributes})
    for tag, value in tags.items():
        if value is not None and not (tag in found and found[tag].value):
            found.add_new(tag, "DA" if tag == "00080020" else "TM" if tag == "00080030" else "LO", value)
    return found


def _dicomdir(study_uid: str, patient: _Record) -> bytes:
    """Return the file. Offsets do not change its length: it is written without them, measured, and written anew."""
    records = list(_walk(patient))
    directory = Dataset()
    directory.file_meta = FileMetaDataset()
    directory.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    directory.file_meta.MediaStorageSOPInstanceUID = UID(f"2.25.{uuid5(NAMESPACE_OID, study_uid).int}")
    directory.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    directory.FileSetID = "IMAGES"
    directory.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = 0
    directory.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = 0
    directory.FileSetConsistencyFlag = 0
    directory.DirectoryRecordSequence = [one.data for one in records]
    items = dcmread(io.BytesIO(_written(directory))).DirectoryRecordSequence
    places = {id(record): item.seq_item_tell for record, item in zip(records, items, strict=True)}
    for record in records:
        below = record.children
        for one, following in pairwise(below):
            one.data.OffsetOfTheNextDirectoryRecord = places[id(following)]
        if below:
            record.data.OffsetOfReferencedLowerLevelDirectoryEntity = places[id(below[0])]
    directory.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = places[id(patient)]
    directory.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = places[id(patient)]
    return _written(directory)


def _walk(record: _Record) -> "list[_Record]":
    return [record, *(below for child in record.children for below in _walk(child))]


def _written(directory: Dataset) -> bytes:
    out = io.BytesIO()
    directory.save_as(out, implicit_vr=False, little_endian=True, enforce_file_format=True)
    return out.getvalue()
