"""Codes of manifests: concepts of the key object selection, and systems in DICOM and in FHIR (PS3.16, FHIR R4)."""

from collections.abc import Mapping

from esante.services.imaging.manifest.model import DCM, SNOMED, Coded

# IHE RAD MADO Rev. 1.1, 6.X.2.9: codes of the private scheme 99IHE hold until DICOM CP-2595 is final text.
_TRIAL, _FINAL = "99IHE", "DCM"
Concept = tuple[str, str, str]
"""Code value, scheme and meaning."""
MANIFEST: Concept = ("MADOTEMP001", _TRIAL, "Manifest with Description")
IMAGE_LIBRARY: Concept = ("111028", "DCM", "Image Library")
GROUP: Concept = ("126200", "DCM", "Image Library Group")
MODALITY: Concept = ("121139", "DCM", "Modality")
TARGET_REGION: Concept = ("123014", "DCM", "Target Region")
LATERALITY: Concept = ("111027", "DCM", "Image Laterality")
SERIES_COUNT: Concept = ("MADOTEMP009", _TRIAL, "Number of Study Related Series")
INSTANCE_COUNT: Concept = ("MADOTEMP007", _TRIAL, "Number of Series Related Instances")
SERIES_DATE: Concept = ("MADOTEMP003", _TRIAL, "Series Date")
SERIES_TIME: Concept = ("MADOTEMP004", _TRIAL, "Series Time")
SERIES_DESCRIPTION: Concept = ("MADOTEMP002", _TRIAL, "Series Description")
SERIES_UID: Concept = ("112002", "DCM", "Series Instance UID")
SERIES_NUMBER: Concept = ("113607", "DCM", "Series Number")
INSTANCE_NUMBER: Concept = ("113609", "DCM", "Instance Number")
FRAMES: Concept = ("121140", "DCM", "Number of Frames")
DOCUMENT_TITLE: Concept = ("121144", "DCM", "Document Title")
DESCRIPTION: Concept = ("113012", "DCM", "Key Object Description")
# Templates 1600 and 1602 are extensible: what follows is added to them.
SHA256: Concept = ("SHA256", "99ESANTE", "SHA-256 of the instance as stored")
MERKLE_ROOT: Concept = ("MERKLEROOT", "99ESANTE", "Merkle root over the instances")
FINAL: Mapping[tuple[str, str], Concept] = {
    ("131561", _FINAL): SERIES_DATE,
    ("131562", _FINAL): SERIES_TIME,
    ("131563", _FINAL): SERIES_DESCRIPTION,
    ("131564", _FINAL): INSTANCE_COUNT,
    ("131565", _FINAL): SERIES_COUNT,
}
"""The codes that CP-2595 assigns, which are read too."""

_SCHEMES = {"SCT": SNOMED, "DCM": DCM, "SRT": "http://snomed.info/srt", "LN": "http://loinc.org"}
_SYSTEMS = {system: scheme for scheme, system in _SCHEMES.items()}
SIDES = {
    "L": Coded("7771000", "Left"),
    "R": Coded("24028007", "Right"),
    "B": Coded("51440002", "Right and left"),
}
"""Laterality (CID 244) by its code in Laterality (0020,0060)."""
_SIDES = {one.code: side for side, one in SIDES.items()}


def scheme_of(system: str) -> str:
    """Return the coding scheme designator of a FHIR system; "" for one that has none here."""
    return _SYSTEMS.get(system, "")


def coded(code: str, scheme: str, meaning: str) -> Coded:
    """Return a DICOM code; of a scheme that is not known only its words are kept."""
    system = _SCHEMES.get(scheme, "")
    return Coded(code, meaning, system) if system else Coded("", meaning or code, "")


def side_of(code: str) -> str:
    """Return the laterality of a code, "" for another one."""
    return _SIDES.get(code, "")


_MODALITIES = {
    "1": "CR",
    "1.1": "DX",
    "1.2": "MG",
    "1.3": "IO",
    "2": "CT",
    "3.1": "US",
    "4": "MR",
    "6.1": "US",
    "12.1": "XA",
    "12.2": "RF",
    "13.1.3": "MG",
    "20": "NM",
    "88": "SR",
    "88.59": "KO",
    "11": "PR",
    "77.1.1": "ES",
    "77.1.4": "XC",
    "77.1.6": "SM",
    "128": "PT",
    "481": "RTIMAGE",
    "9": "ECG",
}
_STORAGE = "1.2.840.10008.5.1.4.1.1."
OTHER = "OT"
_COMPOSITES = ("88.", "11.", "104.", "66", "67", "68.", "481.3", "481.4", "481.5", "481.6", "481.7", "481.8", "481.9")


def modality_of(sop_class_uid: str) -> str:
    """Return the modality that usually makes instances of a SOP class, OT for others (PS3.3, C.7.3.1.1.1)."""
    rest = sop_class_uid.removeprefix(_STORAGE).split(".")
    for length in range(len(rest), 0, -1):
        if (found := _MODALITIES.get(".".join(rest[:length]))) is not None:
            return found
    return OTHER


def value_type(sop_class_uid: str) -> str:
    """Return the value type of a reference to an instance (PS3.16, TID 2010, rows 8 to 10)."""
    rest = sop_class_uid.removeprefix(_STORAGE)
    if rest.startswith("9."):
        return "WAVEFORM"
    return "COMPOSITE" if rest.startswith(_COMPOSITES) and not rest.startswith("66.4") else "IMAGE"
