"""A manifest as FHIR document (IHE RAD MADO: MadoFhirBundle and the profiles of its entries, v0.1.0)."""

import base64
from html import escape

import orjson

from esante.core.types import Json
from esante.core.web import DEFAULT_LANGUAGE, translator
from esante.services.imaging.manifest.identifiers import entry_url
from esante.services.imaging.manifest.kos_writer import MANUFACTURER
from esante.services.imaging.manifest.model import (
    DCM,
    SNOMED,
    Coded,
    Manifest,
    ManifestInstance,
    ManifestPatient,
    ManifestSeries,
    Moment,
    RetrieveLocation,
)
from esante.services.imaging.manifest.regions import region_words
from esante.services.imaging.manifest.terms import SIDES

MEDIA_TYPE = "application/fhir+json"
FORMAT = "urn:ihe:rad:MADO:fhir-manifest:2026"
URI, DICOM_UID, IDENTIFIER_TYPE = "urn:ietf:rfc:3986", "urn:dicom:uid", "http://terminology.hl7.org/CodeSystem/v2-0203"
_PROFILES = "https://profiles.ihe.net/RAD/MADO/StructureDefinition/"
REGION = f"{_PROFILES}MadoAnatomicalRegionExtension"
FRAMES = f"{_PROFILES}MadoNumberOfFrames"
TITLE = f"{_PROFILES}MadoKeyObjectDocumentTitle"
LOCATION = f"{_PROFILES}MadoRetrieveLocationUIDExtension"
SHA256 = "https://esante.lu/fhir/StructureDefinition/imaging-instance-sha256"
MERKLE_ROOT = "https://esante.lu/fhir/StructureDefinition/imaging-study-merkle-root"
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
NOT_SPECIFIED = "http://notspecified"
_DEVICE_TYPE = "https://profiles.ihe.net/RAD/MADO/CodeSystem/MadoDeviceType"
_CONNECTION = "http://terminology.hl7.org/CodeSystem/endpoint-connection-type"
_PAYLOAD = "http://terminology.hl7.org/CodeSystem/endpoint-payload-type"
_PRIORITY = "http://hl7.eu/fhir/eu-health-data-api/CodeSystem/eehrxf-document-priority-category-cs"
_TYPE = {"system": "http://loinc.org", "code": "55113-5", "display": "Images"}


def write_fhir(manifest: Manifest, title: str = "", language: str = DEFAULT_LANGUAGE) -> bytes:
    """Return a manifest as FHIR JSON, with a title (by default the description) and the words of a language."""
    url = {name: entry_url(manifest.uid, name) for name in ("composition", "patient", "device", "author", "study")}
    locations = {one.location: entry_url(manifest.uid, f"wado {n}") for n, one in enumerate(manifest.series)}
    viewer = entry_url(manifest.uid, "viewer") if manifest.viewer_url else ""
    title = title or manifest.description or translator(language).gettext("Images")
    entries = [
        (url["composition"], _composition(manifest, url, title, language)),
        (url["patient"], _patient(manifest.patient)),
        (url["device"], _device(url["author"] if manifest.organization else "")),
        (url["study"], _study(manifest, url["patient"], locations, viewer)),
        *((address, _wado_endpoint(location)) for location, address in locations.items()),
    ]
    if manifest.organization:
        entries.append((url["author"], {"resourceType": "Organization", "name": manifest.organization}))
    if viewer:
        entries.append((viewer, _viewer_endpoint(manifest.viewer_url)))
    return orjson.dumps(
        {
            "resourceType": "Bundle",
            "meta": {"profile": [f"{_PROFILES}MadoFhirBundle"]},
            "identifier": _document_identifier(manifest),
            "type": "document",
            "timestamp": manifest.created.isoformat(),
            "entry": [{"fullUrl": address, "resource": resource} for address, resource in entries],
        }
    )


def study_identifier(study_uid: str) -> Json:
    """Return the identifier of a study (MadoStudyInstanceUidIdentifier)."""
    kind = {"coding": [{"system": DCM, "code": "110180", "display": "Study Instance UID"}]}
    return {"type": kind, "system": DICOM_UID, "value": f"urn:oid:{study_uid}"}


def accession_identifier(issuer: str, number: str) -> Json:
    """Return the identifier of a request (MadoAccessionNumberIdentifier)."""
    codes = [
        {"system": DCM, "code": "121022", "display": "Accession Number"},
        {"system": IDENTIFIER_TYPE, "code": "ACSN", "display": "Accession ID"},
    ]
    return {"type": {"coding": codes}} | ({"system": issuer} if issuer else {}) | {"value": number}


def _document_identifier(manifest: Manifest) -> Json:
    return {"system": URI, "value": f"urn:oid:{manifest.uid}"}


def _composition(manifest: Manifest, url: dict[str, str], title: str, language: str) -> Json:
    return {
        "resourceType": "Composition",
        "text": _narrative(title, [", ".join(manifest.modalities)]),
        "identifier": _document_identifier(manifest),
        "status": "final",
        "type": {"coding": [_TYPE]},
        "category": [{"coding": [{"system": _PRIORITY, "code": "Medical-Imaging", "display": "Medical Imaging"}]}],
        "subject": {"reference": url["patient"]},
        "date": manifest.created.isoformat(),
        "author": [{"reference": url[name]} for name in ("device", *(("author",) if manifest.organization else ()))],
        "title": title,
        "event": [{"detail": [{"reference": url["study"]}]}],
        "section": [_section(one, url["study"], language) for one in manifest.series],
    }


def _section(series: ManifestSeries, study_url: str, language: str) -> Json:
    count = len(series.instances)
    words = translator(language).ngettext("%(num)s image", "%(num)s images", count) % {"num": count}
    title = series.description or series.modality
    facts = [series.modality, series.body_site.display if series.body_site else "", words]
    return {"title": title, "text": _narrative(title, facts), "entry": [{"reference": study_url}]}


def _narrative(title: str, lines: list[str]) -> Json:
    found = "".join(f"<p>{escape(line, quote=False)}</p>" for line in (title, *lines) if line)
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{found}</div>'}


def _patient(patient: ManifestPatient) -> Json:
    name = {"family": patient.family, "given": [patient.given] if patient.given else []}
    identifiers = [_present({"system": system, "value": value}) for system, value in patient.identifiers]
    return _present(
        {
            "resourceType": "Patient",
            "identifier": identifiers,
            "name": [found] if (found := _present(name)) else [],
            "gender": patient.sex,
            "birthDate": patient.birth_date.isoformat() if patient.birth_date else "",
        }
    )


def _device(owner_url: str) -> Json:
    kind = {"coding": [{"system": _DEVICE_TYPE, "code": "mado-creator", "display": "MADO Creator"}]}
    owner = {"reference": owner_url} if owner_url else None
    return _present({"resourceType": "Device", "manufacturer": MANUFACTURER, "type": kind, "owner": owner})


def _study(manifest: Manifest, patient_url: str, locations: dict[RetrieveLocation, str], viewer_url: str) -> Json:
    """Return the ImagingStudy; its accession numbers are identifiers too, by which R4 searches."""
    accessions = [accession_identifier(*one) for one in manifest.accessions]
    extensions: list[Json] = [
        {"url": REGION, "valueCodeableConcept": {"coding": [_coding(Coded(code, region_words(code)))]}}
        for code in manifest.regions
    ]
    if root := manifest.merkle_root:
        extensions.append({"url": MERKLE_ROOT, "valueBase64Binary": base64.b64encode(root).decode()})
    series = [_series(one, locations[one.location]) for one in manifest.series]
    endpoints = [*locations.values(), *filter(None, [viewer_url])]
    return _present(
        {
            "resourceType": "ImagingStudy",
            "extension": extensions,
            "identifier": [study_identifier(manifest.study_uid), *accessions],
            "status": "available",
            "modality": [{"system": DCM, "code": one} for one in manifest.modalities],
            "subject": {"reference": patient_url},
            "started": _moment(manifest.started),
            "basedOn": [{"type": "ServiceRequest", "identifier": one} for one in accessions],
            "endpoint": [{"reference": one} for one in endpoints],
            "numberOfSeries": len(manifest.series),
            "numberOfInstances": sum(len(one.instances) for one in manifest.series),
            "procedureCode": [{"text": manifest.description or ", ".join(manifest.modalities)}],
            "description": manifest.description,
            "series": series,
        }
    )


def _series(series: ManifestSeries, endpoint_url: str) -> Json:
    side = SIDES.get(series.laterality)
    return _present(
        {
            "uid": series.uid,
            "number": series.number,
            "modality": {"system": DCM, "code": series.modality},
            "description": series.description,
            "numberOfInstances": len(series.instances),
            "endpoint": [{"reference": endpoint_url}],
            "bodySite": _coding(series.body_site) if series.body_site else None,
            "laterality": _coding(side) if side else None,
            "started": _moment(series.started),
            "instance": [_instance(one) for one in series.instances],
        }
    )


def _instance(instance: ManifestInstance) -> Json:
    extensions: list[Json] = []
    if instance.frames is not None:
        extensions.append({"url": FRAMES, "valueInteger": instance.frames})
    if instance.key_object is not None:
        extensions.append({"url": TITLE, "valueCodeableConcept": {"coding": [_coding(instance.key_object.title)]}})
    if instance.sha256:
        extensions.append({"url": SHA256, "valueBase64Binary": base64.b64encode(instance.sha256).decode()})
    return _present(
        {
            "extension": extensions,
            "uid": instance.uid,
            "sopClass": {"system": URI, "code": f"urn:oid:{instance.sop_class_uid}"},
            "number": instance.number,
            "title": instance.key_object.description if instance.key_object else "",
        }
    )


def _wado_endpoint(location: RetrieveLocation) -> Json:
    """Return the endpoint of a location; without an address it has to be looked up by its UID."""
    endpoint: Json = {
        "resourceType": "Endpoint",
        "status": "active",
        "connectionType": {"system": _CONNECTION, "code": "dicom-wado-rs"},
        "payloadType": [{"coding": [{"system": _PAYLOAD, "code": "none"}], "text": "DICOM WADO-RS"}],
        "payloadMimeType": ["application/dicom"],
        "address": location.url or NOT_SPECIFIED,
    }
    if location.uid:
        endpoint["extension"] = [{"url": LOCATION, "valueString": location.uid}]
    if not location.url:
        endpoint["_address"] = {"extension": [{"url": ABSENT, "valueCode": "unknown"}]}
    return endpoint


def _viewer_endpoint(url: str) -> Json:
    return {
        "resourceType": "Endpoint",
        "status": "active",
        "connectionType": {"system": _CONNECTION, "code": "ihe-iid"},
        "payloadType": [{"coding": [{"system": _PAYLOAD, "code": "none"}]}],
        "payloadMimeType": ["text/html"],
        "address": url,
    }


def _coding(value: Coded) -> Json:
    return _present(
        {"system": value.system or SNOMED if value.code else "", "code": value.code, "display": value.display}
    )


def _moment(moment: Moment | None) -> str:
    return moment.isoformat() if moment is not None else ""


def _present(values: Json) -> Json:
    """Return a resource or element without what is empty."""
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}
