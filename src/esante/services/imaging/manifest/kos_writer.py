"""A manifest as DICOM key object selection document (IHE RAD MADO Rev. 1.1, 6.X.2; PS3.16, TID 2010 and 1600)."""

import io
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta, timezone, tzinfo
from typing import Any

from pydicom import DataElement, Dataset, config
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from esante.core.time_zone import time_zone
from esante.services.imaging.manifest import terms
from esante.services.imaging.manifest.identifiers import derived_uid, entity_of
from esante.services.imaging.manifest.model import (
    DCM,
    KEY_OBJECTS,
    Coded,
    Manifest,
    ManifestInstance,
    ManifestSeries,
    Moment,
)
from esante.services.imaging.manifest.regions import region_words

MANUFACTURER = "esante"
PRIVATE_CREATOR = "IHE_MADO_PRIVATE"
_SEXES = {"female": "F", "male": "M", "other": "O"}
_CONTEXT, _CONTAINS = "HAS ACQ CONTEXT", "CONTAINS"


def write_kos(manifest: Manifest) -> bytes:
    """Return a manifest as a DICOM file."""
    document = _document(manifest)
    document.file_meta = FileMetaDataset()
    document.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for keyword, value in (("MediaStorageSOPClassUID", KEY_OBJECTS), ("MediaStorageSOPInstanceUID", manifest.uid)):
        _put(document.file_meta, keyword, value)
    out = io.BytesIO()
    document.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _document(manifest: Manifest) -> Dataset:
    zone = _zone(manifest)
    started, created = _parts(manifest.started, zone), _parts(manifest.created, zone)
    single = manifest.accessions[0] if len(manifest.accessions) == 1 else None
    document = _item(
        SpecificCharacterSet="ISO_IR 192",
        SOPClassUID=KEY_OBJECTS,
        SOPInstanceUID=manifest.uid,
        StudyDate=started[0],
        StudyTime=started[1],
        ContentDate=created[0],
        ContentTime=created[1],
        TimezoneOffsetFromUTC=f"{manifest.created.astimezone(zone):%z}",
        AccessionNumber=single[1] if single else "",
        Modality="KO",
        Manufacturer=MANUFACTURER,
        InstitutionName=manifest.organization,
        ReferringPhysicianName="",
        StudyDescription=manifest.description,
        SeriesDescription="Manifest",
        ReferencedPerformedProcedureStepSequence=[],
        StudyInstanceUID=manifest.study_uid,
        SeriesInstanceUID=derived_uid("series", manifest.uid),
        StudyID="",
        SeriesNumber=1,
        InstanceNumber=1,
        ValueType="CONTAINER",
        ConceptNameCodeSequence=[_code(*terms.MANIFEST)],
        ContinuityOfContent="SEPARATE",
        ReferencedRequestSequence=[*_requests(manifest)],
        CurrentRequestedProcedureEvidenceSequence=[_evidence(manifest)],
        ContentTemplateSequence=[_item(MappingResource="DCMR", TemplateIdentifier="2010")],
        ContentSequence=[_library(manifest, zone), *map(_reference, manifest.instances())],
    )
    if single:
        _put(document, "IssuerOfAccessionNumberSequence", _issuer(single[0]))
    _put_patient(document, manifest)
    return document


def _put_patient(document: Dataset, manifest: Manifest) -> None:
    patient = manifest.patient
    first, *others = patient.identifiers or (("", ""),)
    _put(document, "PatientName", f"{patient.family}^{patient.given}".rstrip("^"))
    _put(document, "PatientID", first[1])
    if first[0]:
        _put(document, "IssuerOfPatientIDQualifiersSequence", _issuer(first[0]))
    if others:
        items = [
            _item(PatientID=value, TypeOfPatientID="TEXT", IssuerOfPatientIDQualifiersSequence=_issuer(system))
            for system, value in others
        ]
        _put(document, "OtherPatientIDsSequence", items)
    _put(document, "PatientBirthDate", f"{patient.birth_date:%Y%m%d}" if patient.birth_date else "")
    _put(document, "PatientSex", _SEXES.get(patient.sex, ""))


def _requests(manifest: Manifest) -> Iterator[Dataset]:
    """Yield the requests that the study answers; one without a number where none is known (type 1)."""
    for issuer, number in manifest.accessions or (("", ""),):
        yield _item(
            StudyInstanceUID=manifest.study_uid,
            ReferencedStudySequence=[],
            AccessionNumber=number,
            IssuerOfAccessionNumberSequence=_issuer(issuer) if number else [],
            PlacerOrderNumberImagingServiceRequest="",
            FillerOrderNumberImagingServiceRequest="",
            RequestedProcedureID="",
            RequestedProcedureDescription="",
            RequestedProcedureCodeSequence=[],
        )


def _evidence(manifest: Manifest) -> Dataset:
    study = _item(
        StudyInstanceUID=manifest.study_uid,
        ReferencedSeriesSequence=[_evidence_series(one) for one in manifest.series],
    )
    if manifest.viewer_url:
        block = study.private_block(0x000D, PRIVATE_CREATOR, create=True)
        study.add(_element(block.get_tag(0x01), "UR", manifest.viewer_url))
    return study


def _evidence_series(series: ManifestSeries) -> Dataset:
    item = _item(
        SeriesInstanceUID=series.uid,
        ReferencedSOPSequence=[_sop(one) for one in series.instances],
    )
    if series.location.uid:
        _put(item, "RetrieveLocationUID", series.location.uid)
    if series.location.url:
        _put(item, "RetrieveURL", series.location.url)
    return item


def _library(manifest: Manifest, zone: tzinfo) -> Dataset:
    """Return the image library: what the study is, then one group for each series."""
    contents = [_coded(terms.MODALITY, Coded(one, one, DCM)) for one in manifest.modalities]
    contents += [_coded(terms.TARGET_REGION, region) for region in _regions(manifest)]
    contents.append(_number(terms.SERIES_COUNT, len(manifest.series), "series"))
    if root := manifest.merkle_root:
        contents.append(_text(terms.MERKLE_ROOT, root.hex()))
    contents += [_group(one, zone) for one in manifest.series]
    return _container(terms.IMAGE_LIBRARY, contents)


def _regions(manifest: Manifest) -> list[Coded]:
    return [Coded(code, region_words(code) or code) for code in manifest.regions]


def _group(series: ManifestSeries, zone: tzinfo) -> Dataset:
    day, time = _parts(series.started, zone)
    contents = [
        _coded(terms.MODALITY, Coded(series.modality, series.modality, DCM)),
        _content("UIDREF", terms.SERIES_UID, UID=series.uid),
        _number(terms.INSTANCE_COUNT, len(series.instances), "instances"),
    ]
    if day:
        contents.append(_content("DATE", terms.SERIES_DATE, Date=day))
    if time:
        contents.append(_content("TIME", terms.SERIES_TIME, Time=time))
    if series.description:
        contents.append(_text(terms.SERIES_DESCRIPTION, series.description))
    if series.number is not None:
        contents.append(_text(terms.SERIES_NUMBER, str(series.number)))
    if (site := series.body_site) is not None:
        contents.append(_coded(terms.TARGET_REGION, site))
    if series.laterality:
        contents.append(_coded(terms.LATERALITY, terms.SIDES[series.laterality]))
    contents += [_entry(one) for one in series.instances]
    return _container(terms.GROUP, contents)


def _entry(instance: ManifestInstance) -> Dataset:
    """Return the entry of an instance (TID 1601) with its descriptors (TID 1602)."""
    contents: list[Dataset] = []
    if instance.number is not None:
        contents.append(_text(terms.INSTANCE_NUMBER, str(instance.number)))
    if instance.frames is not None:
        contents.append(_number(terms.FRAMES, instance.frames, "frames"))
    if instance.sha256:
        contents.append(_text(terms.SHA256, instance.sha256.hex()))
    if instance.key_object is not None:
        contents.append(_coded(terms.DOCUMENT_TITLE, instance.key_object.title))
        if instance.key_object.description:
            contents.append(_text(terms.DESCRIPTION, instance.key_object.description))
    entry = _reference(instance)
    if contents:
        _put(entry, "ContentSequence", contents)
    return entry


# Content items and data elements


def _reference(instance: ManifestInstance) -> Dataset:
    return _item(
        RelationshipType=_CONTAINS,
        ValueType=terms.value_type(instance.sop_class_uid),
        ReferencedSOPSequence=[_sop(instance)],
    )


def _sop(instance: ManifestInstance) -> Dataset:
    return _item(ReferencedSOPClassUID=instance.sop_class_uid, ReferencedSOPInstanceUID=instance.uid)


def _container(concept: terms.Concept, contents: Sequence[Dataset]) -> Dataset:
    return _item(
        RelationshipType=_CONTAINS,
        ValueType="CONTAINER",
        ConceptNameCodeSequence=[_code(*concept)],
        ContinuityOfContent="SEPARATE",
        ContentSequence=list(contents),
    )


def _content(kind: str, concept: terms.Concept, **elements: Any) -> Dataset:
    return _item(RelationshipType=_CONTEXT, ValueType=kind, ConceptNameCodeSequence=[_code(*concept)], **elements)


def _text(concept: terms.Concept, text: str) -> Dataset:
    return _content("TEXT", concept, TextValue=text)


def _coded(concept: terms.Concept, value: Coded) -> Dataset:
    """Return a coded item; a text where the system has no designator (TID 1602, rows 2 and 2b)."""
    scheme = terms.scheme_of(value.system)
    if not scheme:
        return _text(concept, value.display)
    return _content("CODE", concept, ConceptCodeSequence=[_code(value.code, scheme, value.display)])


def _number(concept: terms.Concept, value: int, unit: str) -> Dataset:
    measured = _item(MeasurementUnitsCodeSequence=[_code(f"{{{unit}}}", "UCUM", unit)], NumericValue=str(value))
    return _content("NUM", concept, MeasuredValueSequence=[measured])


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    return _item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def _issuer(system: str) -> list[Dataset]:
    if not system:
        return []
    entity, kind = entity_of(system)
    return [_item(UniversalEntityID=entity, UniversalEntityIDType=kind)]


def _item(**elements: Any) -> Dataset:
    item = Dataset()
    for keyword, value in elements.items():
        _put(item, keyword, value)
    return item


def _put(item: Dataset, keyword: str, value: Any) -> None:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(keyword)
    item.add(_element(tag, dictionary_VR(tag), value))


def _element(tag: int, vr: str, value: Any) -> DataElement:
    """Return an element as it is: UIDs of old devices break rules that pydicom enforces (see `limits.is_uid`)."""
    return DataElement(tag, vr, value, validation_mode=config.IGNORE)


def _zone(manifest: Manifest) -> tzinfo:
    """Return the zone of the document's times: that in which the study began, else the country's when it was made."""
    began = manifest.started if isinstance(manifest.started, datetime) else manifest.created.astimezone(time_zone())
    minutes = (began.utcoffset() or timedelta()) // timedelta(minutes=1)
    return timezone(timedelta(minutes=minutes))


def _parts(moment: Moment | None, zone: tzinfo) -> tuple[str, str]:
    """Return a moment as DA and TM."""
    if isinstance(moment, datetime):
        local = moment.astimezone(zone)
        return local.strftime("%Y%m%d"), local.strftime("%H%M%S.%f")
    return (moment.strftime("%Y%m%d"), "") if isinstance(moment, date) else ("", "")
