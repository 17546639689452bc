"""Reading of manifests as FHIR document, after they were validated as FHIR R4."""

import base64
import binascii
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from esante.core.fhir import check
from esante.core.time_zone import time_zone
from esante.core.types import Json
from esante.services.imaging.ingest.limits import is_uid
from esante.services.imaging.manifest import fhir_writer as names
from esante.services.imaging.manifest.identifiers import derived_uid
from esante.services.imaging.manifest.model import (
    KEY_OBJECTS,
    MAX_INSTANCES,
    MAX_MANIFEST,
    Coded,
    KeyObject,
    Manifest,
    ManifestError,
    ManifestInstance,
    ManifestPatient,
    ManifestSeries,
    Moment,
    RetrieveLocation,
    checked,
)
from esante.services.imaging.manifest.terms import side_of

_PREFIX = "urn:oid:"


def read_fhir(data: bytes) -> Manifest:
    """Return the manifest of a FHIR document. Raises: `ManifestError`."""
    if len(data) > MAX_MANIFEST:
        raise ManifestError("Bundle", f"{MAX_MANIFEST:,} bytes are allowed")
    result = check(data)
    if not result.ok:
        issue = result.issues[0]
        raise ManifestError(issue.expression or "Bundle", issue.diagnostics)
    bundle = result.resource
    if bundle.get("resourceType") != "Bundle" or bundle.get("type") != "document":
        raise ManifestError("Bundle.type", "it is no document")
    return manifest_of(bundle)


def manifest_of(bundle: Json) -> Manifest:
    """Return the manifest of a document Bundle that is valid FHIR R4. Raises: `ManifestError`."""
    resources = {
        entry.get("fullUrl", ""): entry["resource"] for entry in bundle.get("entry", ()) if "resource" in entry
    }
    studies = [one for one in resources.values() if one["resourceType"] == "ImagingStudy"]
    if len(studies) != 1:
        raise ManifestError("Bundle.entry", f"it has {len(studies)} ImagingStudy resources, and one is needed")
    [study] = studies
    series = tuple(sorted(_all_series(study, resources), key=lambda one: one.uid))
    if not series:
        raise ManifestError("ImagingStudy.series", "it has no series with instances")
    identifiers = study.get("identifier", ())
    manifest = Manifest(
        uid=_document_uid(bundle.get("identifier") or {}),
        study_uid=_uid(_first(identifiers, "110180", names.DICOM_UID), "ImagingStudy.identifier"),
        created=_aware(bundle.get("timestamp", ""), "Bundle.timestamp"),
        started=_moment(study.get("started", ""), "ImagingStudy.started"),
        description=study.get("description", ""),
        organization=_organization(resources),
        accessions=tuple(dict.fromkeys(_accessions(study, resources))),
        regions=tuple(sorted(set(_regions(study)))),
        patient=_patient(next((one for one in resources.values() if one["resourceType"] == "Patient"), {})),
        viewer_url=_viewer_url(study, resources),
        series=series,
    )
    return checked(manifest, _bytes(study, names.MERKLE_ROOT), "ImagingStudy.extension")


def _document_uid(identifier: Json) -> str:
    """Return the UID of the document: its identifier, or one derived from an identifier that is no OID."""
    value = identifier.get("value", "")
    if is_uid(value.removeprefix(_PREFIX)) or not value:
        return _uid(value, "Bundle.identifier")
    return derived_uid("document", identifier.get("system", ""), value)


def _all_series(study: Json, resources: dict[str, Json]) -> Iterator[ManifestSeries]:
    count = 0
    for index, series in enumerate(study.get("series", ())):
        place = f"ImagingStudy.series[{index}]"
        instances = [_instance(one, f"{place}.instance[{n}]") for n, one in enumerate(series.get("instance", ()))]
        count += len(instances)
        if count > MAX_INSTANCES:
            raise ManifestError("ImagingStudy.series", f"{MAX_INSTANCES:,} instances are allowed")
        if not instances:
            continue
        yield ManifestSeries(
            uid=_uid(series.get("uid", ""), f"{place}.uid"),
            modality=series["modality"].get("code", "OT"),
            location=_location(series, resources) or _location(study, resources) or RetrieveLocation(""),
            instances=tuple(sorted(instances, key=lambda one: one.uid)),
            number=series.get("number"),
            description=series.get("description", ""),
            body_site=_coded(series["bodySite"]) if "bodySite" in series else None,
            laterality=side_of((series.get("laterality") or {}).get("code", "")),
            started=_moment(series.get("started", ""), f"{place}.started"),
        )


def _instance(instance: Json, place: str) -> ManifestInstance:
    sop_class = _uid(instance["sopClass"].get("code", ""), f"{place}.sopClass")
    title = next((one.get("valueCodeableConcept", {}) for one in _extensions(instance, names.TITLE)), None)
    key_object = None
    if title is not None or (sop_class == KEY_OBJECTS and instance.get("title")):
        coding: Json = next(iter((title or {}).get("coding", ())), {})
        key_object = KeyObject(_coded(coding), instance.get("title", ""))
    return ManifestInstance(
        uid=_uid(instance.get("uid", ""), f"{place}.uid"),
        sop_class_uid=sop_class,
        number=instance.get("number"),
        frames=next((one.get("valueInteger") for one in _extensions(instance, names.FRAMES)), None),
        sha256=_bytes(instance, names.SHA256),
        key_object=key_object,
    )


def _location(holder: Json, resources: dict[str, Json]) -> RetrieveLocation | None:
    """Return the first WADO endpoint that a series or study names."""
    for reference in holder.get("endpoint", ()):
        endpoint = resources.get(reference.get("reference", ""), {})
        if (endpoint.get("connectionType") or {}).get("code") == "dicom-wado-rs":
            uid = next((one.get("valueString", "") for one in _extensions(endpoint, names.LOCATION)), "")
            is_absent = any(_extensions(endpoint.get("_address") or {}, names.ABSENT))
            address = endpoint.get("address", "")
            return RetrieveLocation(uid, "" if is_absent or address == names.NOT_SPECIFIED else address)
    return None


def _viewer_url(study: Json, resources: dict[str, Json]) -> str:
    for reference in study.get("endpoint", ()):
        endpoint = resources.get(reference.get("reference", ""), {})
        if "text/html" in endpoint.get("payloadMimeType", ()):
            return str(endpoint.get("address", ""))
    return ""


def _accessions(study: Json, resources: dict[str, Json]) -> Iterator[tuple[str, str]]:
    """Yield the accession numbers: of the requests, in their references, and of the study itself."""
    requests = [resources.get(one.get("reference", ""), {}) for one in study.get("basedOn", ())]
    holders = [one["identifier"] for one in study.get("basedOn", ()) if "identifier" in one]
    for identifier in (
        *holders,
        *(found for one in requests for found in one.get("identifier", ())),
        *study["identifier"],
    ):
        codes = {coding.get("code") for coding in (identifier.get("type") or {}).get("coding", ())}
        if codes & {"ACSN", "121022"} and identifier.get("value"):
            yield identifier.get("system", ""), identifier["value"]


def _regions(study: Json) -> Iterator[str]:
    for extension in _extensions(study, names.REGION):
        for coding in (extension.get("valueCodeableConcept") or {}).get("coding", ()):
            if coding.get("code"):
                yield coding["code"]


def _organization(resources: dict[str, Json]) -> str:
    """Return the name of the organisation among the authors of the document."""
    composition = next((one for one in resources.values() if one["resourceType"] == "Composition"), {})
    for author in composition.get("author", ()):
        found = resources.get(author.get("reference", ""), {})
        if found.get("resourceType") == "Organization":
            return str(found.get("name", ""))
    return ""


def _patient(patient: Json) -> ManifestPatient:
    name: Json = next(iter(patient.get("name", ())), {})
    born = patient.get("birthDate", "")
    sex = patient.get("gender", "")
    return ManifestPatient(
        identifiers=tuple(
            (one.get("system", ""), one["value"]) for one in patient.get("identifier", ()) if one.get("value")
        ),
        family=name.get("family", ""),
        given=" ".join(name.get("given", ())),
        birth_date=date.fromisoformat(born) if len(born) == len("2000-01-01") else None,
        sex=sex if sex != "unknown" else "",
    )


def _first(identifiers: Any, code: str, system: str) -> str:
    """Return the value of the first identifier with a code of its type, else of the first of the system."""
    for identifier in identifiers:
        if any(coding.get("code") == code for coding in (identifier.get("type") or {}).get("coding", ())):
            return str(identifier.get("value", ""))
    return next((str(one.get("value", "")) for one in identifiers if one.get("system") == system), "")


def _extensions(holder: Json, url: str) -> Iterator[Json]:
    return (one for one in holder.get("extension", ()) if one.get("url") == url)


def _bytes(holder: Json, url: str) -> bytes:
    for one in _extensions(holder, url):
        try:
            found = base64.b64decode(one.get("valueBase64Binary", ""), validate=True)
        except (binascii.Error, ValueError):
            return b""
        return found if len(found) == 32 else b""
    return b""


def _coded(coding: Json) -> Coded:
    code = coding.get("code", "")
    return Coded(code, coding.get("display", ""), coding.get("system", "") if code else "")


def _uid(text: str, place: str) -> str:
    uid = text.removeprefix(_PREFIX)
    if not is_uid(uid):
        raise ManifestError(place, "it is no UID")
    return uid


def _moment(text: str, place: str) -> Moment | None:
    if not text:
        return None
    try:
        return _aware(text, place) if "T" in text else date.fromisoformat(f"{text}-01-01"[:10])
    except ValueError as error:
        raise ManifestError(place, "it is no date") from error


def _aware(text: str, place: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise ManifestError(place, "it is no moment") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=time_zone())
