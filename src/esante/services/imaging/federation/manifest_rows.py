"""What a manifest says, as rows of the archive: its instances are found like others, and their bytes are elsewhere."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from esante.core import clock
from esante.core.storage import Row
from esante.core.time_zone import day_of, time_zone
from esante.core.types import Json
from esante.services.imaging.archive.store import compress_metadata, instance_row
from esante.services.imaging.ingest.frames import FrameIndex
from esante.services.imaging.ingest.summary import Summary
from esante.services.imaging.manifest import terms
from esante.services.imaging.manifest.model import Manifest, ManifestInstance, ManifestPatient, ManifestSeries, Moment
from esante.services.imaging.manifest.regions import body_part
from esante.services.imaging.model import Instance
from esante.services.record import Demographics, PersonName, is_matricule, matricule_system


def summaries(manifest: Manifest) -> Iterator[tuple[ManifestSeries, ManifestInstance, Summary]]:
    """Yield each instance of a manifest with its series and its summary."""
    said, of_study = _demographics(manifest.patient), _study_attributes(manifest)
    accession = manifest.accessions[0][1] if manifest.accessions else ""
    started = day_of(manifest.started) if isinstance(manifest.started, datetime) else manifest.started
    for series in manifest.series:
        of_series = _series_attributes(series)
        for one in series.instances:
            yield (
                series,
                one,
                Summary(
                    sop_class_uid=one.sop_class_uid,
                    transfer_syntax_uid="",
                    instance_uid=one.uid,
                    series_uid=series.uid,
                    study_uid=manifest.study_uid,
                    instance_number=one.number,
                    patient_id=next((value for _, value in manifest.patient.identifiers), ""),
                    said=said,
                    study_on=started,
                    modality=series.modality,
                    accession_number=accession,
                    of_study=of_study,
                    of_series=of_series,
                    of_instance=_instance_attributes(one),
                ),
            )


def remote_instance_row(person_id: UUID, one: ManifestInstance, summary: Summary) -> Row:
    """Return the row of an instance whose bytes are elsewhere."""
    instance = Instance(
        person_id=person_id,
        instance_uid=summary.instance_uid,
        series_uid=summary.series_uid,
        study_uid=summary.study_uid,
        sop_class_uid=summary.sop_class_uid,
        transfer_syntax_uid="",
        instance_number=summary.instance_number,
        attributes=summary.of_instance,
        object_name="",
        object_offset=0,
        size=0,
        sha256=one.sha256,
        received_at=clock.now(),
    )
    header = summary.of_study | summary.of_series | summary.of_instance | _key_object_attributes(one)
    return instance_row(instance, compress_metadata(header), FrameIndex())


def _demographics(patient: ManifestPatient) -> Demographics:
    """Return what a manifest says of its patient; a matricule is known by its check digits."""
    system = matricule_system()
    identifiers = [
        (given or (system if is_matricule(system, value) else ""), value) for given, value in patient.identifiers
    ]
    name = PersonName(family=patient.family, given=tuple(patient.given.split()))
    return Demographics(
        identifiers=tuple(one for one in identifiers if one[0]),
        names=(name,) if patient.family or patient.given else (),
        birth_date=patient.birth_date.isoformat() if patient.birth_date else "",
        sex=patient.sex,
    )


def _study_attributes(manifest: Manifest) -> Json:
    day, time = _parts(manifest.started)
    accession = manifest.accessions[0][1] if manifest.accessions else ""
    return _elements(
        ("00080020", "DA", day),
        ("00080030", "TM", time),
        ("00080050", "SH", accession),
        ("00081030", "LO", manifest.description),
        ("0020000D", "UI", manifest.study_uid),
    )


def _series_attributes(series: ManifestSeries) -> Json:
    day, time = _parts(series.started)
    return _elements(
        ("00080060", "CS", series.modality),
        ("0008103E", "LO", series.description),
        ("00180015", "CS", body_part(series.body_site)),
        ("00200060", "CS", series.laterality),
        ("0020000E", "UI", series.uid),
        ("00200011", "IS", series.number),
        ("00400244", "DA", day),
        ("00400245", "TM", time),
    )


def _instance_attributes(one: ManifestInstance) -> Json:
    return _elements(
        ("00080016", "UI", one.sop_class_uid),
        ("00080018", "UI", one.uid),
        ("00200013", "IS", one.number),
        ("00280008", "IS", one.frames),
    )


def _key_object_attributes(one: ManifestInstance) -> Json:
    if one.key_object is None:
        return {}
    title = one.key_object.title
    item = _concept(*terms.DESCRIPTION) | _elements(("0040A160", "UT", one.key_object.description))
    named = _concept(title.code, terms.scheme_of(title.system), title.display)
    return named | {"0040A730": {"vr": "SQ", "Value": [item]}}


def _concept(value: str, scheme: str, meaning: str) -> Json:
    code = _elements(("00080100", "SH", value), ("00080102", "SH", scheme), ("00080104", "LO", meaning))
    return {"0040A043": {"vr": "SQ", "Value": [code]}}


def _elements(*values: tuple[str, str, str | int | None]) -> Json:
    return {tag: {"vr": vr, "Value": [value]} for tag, vr, value in values if value not in ("", None)}


def _parts(moment: Moment | None) -> tuple[str, str]:
    """Return a moment as DA and TM in the country's zone, which holds where a header names none."""
    if isinstance(moment, datetime):
        local = moment.astimezone(time_zone())
        return local.strftime("%Y%m%d"), local.strftime("%H%M%S.%f")
    return (moment.strftime("%Y%m%d"), "") if moment is not None else ("", "")
