"""What is kept of a header while its upload goes on: little, since an upload may have thousands of instances."""

from dataclasses import dataclass
from datetime import date

from esante.core.time_zone import today
from esante.core.types import Json
from esante.services.imaging.archive.levels import INSTANCE_TAGS, SERIES_TAGS, STUDY_TAGS, attributes_of
from esante.services.imaging.ingest.header import Header
from esante.services.imaging.ingest.identity import demographics
from esante.services.record import Demographics

_MAX_CODE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What an instance is, and what it says of its patient and its study.

    `study_on`: the day of the study, None where the header has none; the attributes are DICOM JSON of each level.
    """

    sop_class_uid: str
    transfer_syntax_uid: str
    instance_uid: str
    series_uid: str
    study_uid: str
    instance_number: int | None
    patient_id: str
    said: Demographics
    study_on: date | None
    modality: str
    accession_number: str
    of_study: Json
    of_series: Json
    of_instance: Json

    @property
    def care_on(self) -> date:
        """The day of the care; today where it is not known, or said to be in the future."""
        return min(self.study_on or today(), today())


def summarize(header: Header) -> Summary:
    """Return the summary of a header."""
    number = header.first("00200013")
    return Summary(
        sop_class_uid=header.sop_class_uid,
        transfer_syntax_uid=header.transfer_syntax_uid,
        instance_uid=header.sop_instance_uid,
        series_uid=header.text("0020000E"),
        study_uid=header.text("0020000D"),
        instance_number=number if isinstance(number, int) and abs(number) < 2**31 else None,
        patient_id=header.text("00100020"),
        said=demographics(header),
        study_on=_day(header.text("00080020")),
        modality=_plain(header.text("00080060")),
        accession_number=_plain(header.text("00080050")),
        of_study=attributes_of(header.json, STUDY_TAGS),
        of_series=attributes_of(header.json, SERIES_TAGS),
        of_instance=attributes_of(header.json, INSTANCE_TAGS),
    )


def _day(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None


def _plain(text: str) -> str:
    """Return a code as PostgreSQL stores it, which has no zero characters."""
    return text.replace("\x00", "")[:_MAX_CODE]
