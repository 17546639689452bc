"""One instance without the identity of its patient: the basic profile of PS3.15, annex E, and what stays a risk."""

import hashlib
import hmac
import io
from datetime import date
from uuid import UUID

from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_has_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.sequence import Sequence

from esante.services.imaging.deidentification.profile import Profile, profile

METHOD = "DICOM PS3.15 Basic Profile, UIDs by keyed hash"
_DUMMIES: dict[str, object] = {
    "AE": "REMOVED",
    "AS": "000Y",
    "CS": "REMOVED",
    "DA": "19000101",
    "DS": "0",
    "DT": "19000101000000",
    "IS": "0",
    "LO": "REMOVED",
    "LT": "REMOVED",
    "PN": "REMOVED",
    "SH": "REMOVED",
    "ST": "REMOVED",
    "TM": "000000",
    "UC": "REMOVED",
    "UR": "http://removed.invalid",
    "UT": "REMOVED",
}
_NUMBERS = frozenset({"FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"})
_OFTEN_WRITTEN_ON = frozenset({"US", "XA", "RF", "ES", "OT", "SC", "XC", "GM", "SM", "DOC", "IO", "PX", "BMD", "OP"})
"""Modalities whose devices often write the patient's name into the picture."""
_SECONDARY = "1.2.840.10008.5.1.4.1.1.7"
"""Secondary Capture, and the classes below it."""
_OVERLAYS = 0x6000
"""The groups of overlays, of which only the first is in the dictionary."""
_HEAD_PARTS = frozenset({"HEAD", "BRAIN", "SKULL", "FACE", "SINUS", "ORBIT", "NECK", "HEADNECK", "HEADANDNECK"})
_PLANES = frozenset({"CT", "MR", "PT"})


class NotAnImage(Exception):
    """An instance of which no copy is made: a report, a document or another object without pixels."""


def pseudonym(key: bytes, person_id: UUID) -> str:
    """Return by what a person is named in the copies of one key: 16 digits that say nothing without it."""
    return hmac.new(key, b"person" + person_id.bytes, hashlib.sha256).hexdigest()[:16].upper()


def other_uid(key: bytes, uid: str) -> str:
    """Return the UID in place of another: the same for the same key (PS3.5, B.2)."""
    digest = hmac.new(key, b"uid" + uid.encode(), hashlib.sha256).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def deidentify(file: bytes, key: bytes, patient: str, on: date) -> tuple[bytes, tuple[str, ...]]:
    """Return an instance as a file without identity, and its risks (see `risks_of`); `patient`: the pseudonym.

    Raises: `NotAnImage`.
    """
    data = dcmread(io.BytesIO(file))
    if "PixelData" not in data or "EncapsulatedDocument" in data:
        raise NotAnImage
    risks = risks_of(data)
    clean = _cleaned(data, key, profile(on))
    clean.PatientName, clean.PatientID = patient, patient
    clean.PatientIdentityRemoved, clean.DeidentificationMethod = "YES", METHOD
    clean.DeidentificationMethodCodeSequence = [_method()]
    clean.LongitudinalTemporalInformationModified = "REMOVED"
    return _file(clean, data), risks


def risks_of(data: Dataset) -> tuple[str, ...]:
    """Return by what somebody might still be known: "burned-in" text, or the surface of a "face"."""
    found = []
    said = str(data.get("BurnedInAnnotation", "")).upper()
    modality = str(data.get("Modality", "")).upper()
    captured = str(data.get("SOPClassUID", "")).startswith(_SECONDARY) or "ConversionType" in data
    if said == "YES" or (said != "NO" and (captured or modality in _OFTEN_WRITTEN_ON)):
        found.append("burned-in")
    part = "".join(char for char in str(data.get("BodyPartExamined", "")).upper() if char.isalpha())
    if modality in _PLANES and (not part or part in _HEAD_PARTS):
        found.append("face")
    return tuple(found)


def _cleaned(data: Dataset, key: bytes, rules: Profile) -> Dataset:
    """Return a data set, or an item of a sequence, after the actions of the profile."""
    clean = Dataset()
    for element in data:
        is_known = dictionary_has_tag(element.tag) or element.tag.group & 0xFF00 == _OVERLAYS
        if element.tag.is_private or not is_known:
            continue
        kept = _acted_on(element, rules.action_of(f"{element.tag:08X}"), key, rules)
        if kept is not None:
            clean.add(kept)
    return clean


def _acted_on(element: DataElement, action: str, key: bytes, rules: Profile) -> DataElement | None:
    """Return what becomes of an element, None: it is removed. Of a choice that is taken which keeps the file valid."""
    if action == "X":
        return None
    if "U" in action and element.VR == "UI":
        values = [other_uid(key, uid) for uid in ([element.value] if element.VM < 2 else element.value) if uid]
        return DataElement(element.tag, "UI", values[0] if len(values) == 1 else values)
    if element.VR == "SQ":
        items = [] if action and "U" not in action else [_cleaned(item, key, rules) for item in element.value]
        return DataElement(element.tag, "SQ", Sequence(items))
    if action in ("Z", "X/Z"):
        return DataElement(element.tag, element.VR, None)
    if action:
        return _dummy(element, key)
    return element


def _dummy(element: DataElement, key: bytes) -> DataElement | None:
    if element.VR == "UI":
        return DataElement(element.tag, "UI", other_uid(key, str(element.value)))
    if element.VR in _NUMBERS:
        return DataElement(element.tag, element.VR, 0)
    value = _DUMMIES.get(element.VR)
    return None if value is None else DataElement(element.tag, element.VR, value)


def _method() -> Dataset:
    """Return the code of the profile (PS3.16, CID 7050)."""
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator = "113100", "DCM"
    code.CodeMeaning = "Basic Application Confidentiality Profile"
    return code


def _file(clean: Dataset, original: FileDataset) -> bytes:
    clean.file_meta = FileMetaDataset()
    clean.file_meta.TransferSyntaxUID = original.file_meta.TransferSyntaxUID
    clean.file_meta.MediaStorageSOPClassUID = clean.SOPClassUID
    clean.file_meta.MediaStorageSOPInstanceUID = clean.SOPInstanceUID
    clean.preamble = bytes(128)
    out = io.BytesIO()
    clean.save_as(out, enforce_file_format=True)
    return out.getvalue()
