"""The attributes of studies, series and instances that are searched and listed (PS3.18, 10.6.3.3)."""

from collections.abc import Iterable

from esante.core.types import Json

STUDY_TAGS = (
    "00080020",  # Study Date
    "00080030",  # Study Time
    "00080050",  # Accession Number
    "00080080",  # Institution Name
    "00080090",  # Referring Physician's Name
    "00080201",  # Timezone Offset From UTC
    "00081030",  # Study Description
    "00100010",  # Patient's Name
    "00100020",  # Patient ID
    "00100021",  # Issuer of Patient ID
    "00100030",  # Patient's Birth Date
    "00100040",  # Patient's Sex
    "00101010",  # Patient's Age
    "0020000D",  # Study Instance UID
    "00200010",  # Study ID
)
SERIES_TAGS = (
    "00080060",  # Modality
    "00080070",  # Manufacturer
    "0008103E",  # Series Description
    "00180015",  # Body Part Examined
    "00200060",  # Laterality
    "0020000E",  # Series Instance UID
    "00200011",  # Series Number
    "00400244",  # Performed Procedure Step Start Date
    "00400245",  # Performed Procedure Step Start Time
    "00400275",  # Request Attributes Sequence
)
INSTANCE_TAGS = (
    "00080016",  # SOP Class UID
    "00080018",  # SOP Instance UID
    "00200013",  # Instance Number
    "00280008",  # Number of Frames
    "00280010",  # Rows
    "00280011",  # Columns
    "00280100",  # Bits Allocated
)
MODALITIES, AVAILABILITY, RETRIEVE_URL, SYNTAXES = "00080061", "00080056", "00081190", "00083002"
STUDY_SERIES, STUDY_INSTANCES, SERIES_INSTANCES = "00201206", "00201208", "00201209"


def attributes_of(json: Json, tags: Iterable[str]) -> Json:
    """Return some attributes of a header; those that it does not have are left out."""
    return {tag: json[tag] for tag in tags if tag in json}


def has_picture(instance: Json) -> bool:
    """Return whether an instance with these attributes has pictures."""
    return bool(next(iter(instance.get("00280010", {}).get("Value", ())), None))
