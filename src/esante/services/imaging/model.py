"""The types of image sharing: study, series, instance; why an instance is not taken in; journal events."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

from esante.core.journal import event
from esante.core.types import Json
from esante.core.web import N_
from esante.identity.access import AccessEvent
from esante.services.imaging.modality_words import modality_words

CATEGORY = "imaging_study"
"""The category of the record's document that stands for a study."""
DOCUMENT_TYPE = "55113-5"
"""Its LOINC type."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an instance is not taken in: the words for operators (a msgid), and the Failure Reason (PS3.18, 10.5.3)."""

    words: str
    code: int


REASONS: Mapping[str, Reason] = {
    "not-dicom": Reason(N_("It is not a DICOM file."), 0xC000),
    "truncated": Reason(N_("The file ends too early."), 0xC000),
    "malformed": Reason(N_("The file breaks the DICOM format."), 0xC000),
    "depth": Reason(N_("It has too many sequences within each other."), 0xC000),
    "elements": Reason(N_("It has too many elements."), 0xC000),
    "header-size": Reason(N_("Its header is too large."), 0xC000),
    "uid": Reason(N_("A UID is missing, not valid, or not the same everywhere."), 0xC000),
    "preamble": Reason(N_("The file begins like a program or another document."), 0xC000),
    "transfer-syntax": Reason(N_("Its transfer syntax is not supported."), 0xC122),
    "dimensions": Reason(N_("Its pixel data do not have the size that the header says."), 0xC000),
    "too-large": Reason(N_("The file is too large."), 0xA700),
    "study-differs": Reason(N_("It is not of the study that it was sent for."), 0xA900),
    "person-unknown": Reason(N_("It does not name a patient who is known."), 0xA900),
    "person-differs": Reason(N_("It may be about another patient."), 0xA900),
    "study-of-another": Reason(N_("Its study is known for another patient or from another organisation."), 0xA900),
    "series-of-another": Reason(N_("Its series is known in another study."), 0xA900),
    "duplicate": Reason(N_("Other bytes are stored under its UID."), 0x0111),
    "not-authorized": Reason(N_("The sender may not add images to this record."), 0x0124),
}
"""The keys of reasons are stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A study of a person; `attributes` are those of QIDO-RS at this level, as DICOM JSON."""

    person_id: UUID
    study_uid: str
    document_series_id: UUID
    depositor_id: UUID
    study_on: date | None
    accession_number: str
    attributes: Json
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A series of a study; `location_uid`: of the archive that has its images, "" for this one."""

    person_id: UUID
    series_uid: str
    study_uid: str
    modality: str
    attributes: Json
    received_at: datetime
    location_uid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """An instance without its header: what it is, and where its bytes are (see the migrations for the units)."""

    person_id: UUID
    instance_uid: str
    series_uid: str
    study_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    instance_number: int | None
    attributes: Json
    object_name: str
    object_offset: int
    size: int
    sha256: bytes
    received_at: datetime

    @property
    def is_remote(self) -> bool:
        """Whether the bytes are in another archive."""
        return not self.object_name


class ImagingEvent(AccessEvent, frozen=True, kw_only=True):
    """Base of the events about the images of a study."""

    RESOURCE: ClassVar[str] = "ImagingStudy"

    study_uid: str = ""


@event("imaging.deposited")
class StudyDeposited(ImagingEvent, frozen=True, kw_only=True):
    """Instances were stored: how many, of which series, and their bytes."""

    ACTION: ClassVar[str] = "C"
    WORDS: ClassVar[str] = N_("%(actor)s added images to your record: %(categories)s.")

    instances: int
    size: int
    series: tuple[str, ...] = ()


@event("imaging.deposit_refused")
class StudyDepositRefused(ImagingEvent, frozen=True, kw_only=True):
    """Instances were not taken in: how many and why (`problem`, a key of `REASONS`).

    `differs` are the keys of the traits in which they differ from the person.
    """

    ACTION: ClassVar[str] = "C"
    REFUSED_WORDS: ClassVar[str] = N_("%(actor)s tried to add images to your record, but they were not added.")

    allowed: bool = False
    instances: int
    problem: str
    differs: tuple[str, ...] = ()


@event("imaging.searched")
class StudiesSearched(ImagingEvent, frozen=True, kw_only=True):
    """Studies, series or instances were searched (`count`: found)."""

    ACTION: ClassVar[str] = "E"
    WORDS: ClassVar[str] = N_("%(actor)s viewed the list of your images: %(categories)s.")
    REFUSED_WORDS: ClassVar[str] = N_("%(actor)s tried to view the list of your images. Access was refused.")

    count: int = 0


@event("imaging.described")
class StudyDescribed(ImagingEvent, frozen=True, kw_only=True):
    """The description of images (their header) was read: of a series, or of a whole study (`series_uid` "")."""

    ACTION: ClassVar[str] = "R"
    WORDS: ClassVar[str] = N_("%(actor)s read the description of your images: %(categories)s.")

    series_uid: str = ""


@event("imaging.opened")
class SeriesOpened(ImagingEvent, frozen=True, kw_only=True):
    """The images of a series were opened; `form`: what was sent (instance, frames, rendered, bulkdata)."""

    ACTION: ClassVar[str] = "R"
    WORDS: ClassVar[str] = N_("%(actor)s opened your images: %(categories)s.")

    series_uid: str
    modality: str = ""
    form: str = ""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What kind of images they are, for the access log (msgids)."""
        return modality_words((self.modality,))


@event("imaging.refused")
class ImagesRefused(ImagingEvent, frozen=True, kw_only=True):
    """An access to images was refused; `action` is what was requested."""

    ACTION: ClassVar[str] = "R"
    REFUSED_WORDS: ClassVar[str] = N_("%(actor)s tried to open your images. Access was refused.")

    allowed: bool = False
    action: str = ""
