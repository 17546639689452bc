"""The index of a study: what a manifest says, whatever its format (IHE RAD MADO, table 4.3-1)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from esante.services.imaging.manifest.merkle import merkle_root

KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"
"""The SOP class of a key object selection document."""
SNOMED = "http://snomed.info/sct"
DCM = "http://dicom.nema.org/resources/ontology/DCM"
MAX_MANIFEST = 20 * 1024 * 1024
"""Bytes of a manifest."""
MAX_INSTANCES = 100_000
Moment = date | datetime
"""When something began: a day, or an aware moment."""


class ManifestError(Exception):
    """A manifest that cannot be read: `place` is the element, `detail` what is wrong with it."""

    def __init__(self, place: str, detail: str) -> None:
        super().__init__(f"{place}: {detail}")
        self.place, self.detail = place, detail


@dataclass(frozen=True, slots=True)
class Coded:
    """A code of a system (a FHIR URI) and its words; only words where `code` is ""."""

    code: str
    display: str
    system: str = SNOMED


@dataclass(frozen=True, slots=True)
class RetrieveLocation:
    """Where instances are retrieved: the UID of the location, and its address of DICOMweb ("": look it up)."""

    uid: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class KeyObject:
    """What a key object selection among the instances selects: its title, and in words why."""

    title: Coded
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestInstance:
    """An instance; `sha256` of its bytes as stored, b"" where it is not known; `frames` None for a single image.

    Numbers are not negative, as in FHIR.
    """

    uid: str
    sop_class_uid: str
    number: int | None = None
    frames: int | None = None
    sha256: bytes = b""
    key_object: KeyObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestSeries:
    """A series with its instances; `laterality`: L, R, B (both) or "" (PS3.3, Laterality)."""

    uid: str
    modality: str
    location: RetrieveLocation
    instances: tuple[ManifestInstance, ...]
    number: int | None = None
    description: str = ""
    body_site: Coded | None = None
    laterality: str = ""
    started: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestPatient:
    """The patient as the manifest has them; identifiers are (system, value), `sex` a FHIR gender or ""."""

    identifiers: tuple[tuple[str, str], ...] = ()
    family: str = ""
    given: str = ""
    birth_date: date | None = None
    sex: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The index of a study. `uid`: of the document in either format; `accessions`: (issuer, number) of its requests.

    `regions`: codes of anatomical regions (SNOMED CT, `regions.REGIONS`). Series and instances are ordered by UID.
    """

    uid: str
    study_uid: str
    created: datetime
    organization: str
    patient: ManifestPatient
    series: tuple[ManifestSeries, ...]
    started: Moment | None = None
    description: str = ""
    accessions: tuple[tuple[str, str], ...] = ()
    regions: tuple[str, ...] = ()
    viewer_url: str = ""

    def instances(self) -> Iterator[ManifestInstance]:
        """Yield the instances of all series."""
        for series in self.series:
            yield from series.instances

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities of the series, sorted."""
        return tuple(sorted({one.modality for one in self.series if one.modality}))

    @property
    def merkle_root(self) -> bytes:
        """The root over all instances, ordered by their UID; b"" unless the hash of each is known."""
        found = sorted(self.instances(), key=lambda one: one.uid)
        if not found or not all(one.sha256 for one in found):
            return b""
        return merkle_root(one.sha256 for one in found)


def checked(manifest: Manifest, stated: bytes, place: str) -> Manifest:
    """Return a manifest of which no UID stands twice, and whose Merkle root is the stated one (b"": none is).

    Raises: `ManifestError`.
    """
    uids = [one.uid for one in manifest.instances()]
    if len(uids) != len(set(uids)) or len(manifest.series) != len({one.uid for one in manifest.series}):
        raise ManifestError(place, "a UID stands twice")
    if stated and stated != manifest.merkle_root:
        raise ManifestError(place, "the Merkle root is not that of the instances")
    return manifest
