"""Documents and resources: published, found, retrieved in the European exchange format."""

from typing import Any

from esante.services.conformance.kits.checks import (
    Checks,
    entries,
    expect,
    expect_outcome,
    expect_resource,
    expect_status,
)
from esante.services.conformance.kits.eu_api.documents import LOINC, SUMMARY, new_summary, publication
from esante.services.conformance.kits.fhir_requests import (
    capability_statement,
    codes_of,
    declared_resources,
    fhir_get,
    fhir_search,
    fhir_send,
    found_ids,
    id_of,
    path_of,
)
from esante.services.conformance.kits.model import NotApplicable
from esante.services.conformance.kits.session import Session

CHECKS = Checks()
_OTHER_TYPES = ("11502-2", "18842-5", "85430-7", "18748-4")
_CORE_RESOURCES = {
    "AllergyIntolerance": "",
    "Condition": "",
    "Observation": "&category=laboratory",
    "DiagnosticReport": "&category=LAB",
    "MedicationRequest": "",
    "MedicationDispense": "",
    "MedicationStatement": "",
    "Immunization": "",
    "Encounter": "",
}
"""The core resources of the guide, with the further parameter that a search for them must know."""


@CHECKS.of("EU-13")
async def _publish(session: Session) -> None:
    summary = new_summary(session.value("person"))
    content = publication(session.value("patient"), summary)
    reply = await fhir_send(session, "POST", "DocumentReference", content)
    expect_status(reply, 201, remedy="Take a FHIR document of a patient summary, and answer 201.")
    location = reply.headers.get("location", "")
    expect("DocumentReference/" in location, "Location does not lead to the document.", "Send Location.")
    session.values |= {"document": path_of(session, location), "summary": summary}


def _current(session: Session, type_: str) -> str:
    return f"DocumentReference?patient={session.value('patient')}&type={type_}&status=current&_count=50&_sort=-date"


@CHECKS.of("EU-14")
async def _find_by_type(session: Session) -> None:
    found = await found_ids(session, _current(session, f"{LOINC}|{SUMMARY}"))
    known = id_of(session.value("document")) in found
    expect(known, "The published summary is not found.", "Search by patient, type and status.")


@CHECKS.of("EU-15")
async def _types_are_applied(session: Session) -> None:
    own = id_of(session.value("document"))
    others = ",".join(f"{LOINC}|{code}" for code in _OTHER_TYPES)
    found = await found_ids(session, _current(session, others))
    expect(own not in found, "The summary is found as a document of another type.", "Compare type exactly.")
    found = await found_ids(session, _current(session, f"{others},{LOINC}|{SUMMARY}"))
    expect(own in found, "With several types the summary is not found.", "Find documents of any of the types.")


@CHECKS.of("EU-16")
async def _find_by_id(session: Session) -> None:
    own = id_of(session.value("document"))
    found = await found_ids(session, f"DocumentReference?_id={own}&patient={session.value('patient')}")
    expect(found == [own], f"{len(found)} documents were found.", "Search by _id.")


@CHECKS.of("EU-17")
async def _metadata(session: Session) -> None:
    reply = await fhir_get(session, session.value("document"))
    expect_status(reply, 200, remedy="Serve the DocumentReference at its Location.")
    document = expect_resource(reply, "DocumentReference")
    missing = [name for name in ("subject", "date", "custodian") if not document.get(name)]
    expect(not missing, f"{', '.join(missing)} is missing.", "Give whom it is about, when it was made, who keeps it.")
    coding = [(one.get("system"), one.get("code")) for one in document.get("type", {}).get("coding", ())]
    expect((LOINC, SUMMARY) in coding, f"type is {coding}.", f"Keep the type, LOINC {SUMMARY}.")
    media = _attachment(document).get("contentType", "").partition(";")[0]
    formats = ("application/fhir+json", "application/fhir+xml")
    expect(media in formats, f"attachment.contentType is {media!r}.", f"Say {formats[0]}.")


def _attachment(document: dict[str, Any]) -> dict[str, Any]:
    return dict(document["content"][0]["attachment"])


async def _retrieved(session: Session) -> dict[str, Any]:
    """Return the Bundle that attachment.url gives. Raises: `Fault`."""
    document = expect_resource(await fhir_get(session, session.value("document")), "DocumentReference")
    url = _attachment(document).get("url", "")
    expect(url, "attachment.url is missing.", "Say where the document is.")
    reply = await fhir_get(session, path_of(session, url))
    expect_status(reply, 200, remedy="Serve the document at attachment.url with the same token.")
    return expect_resource(reply, "Bundle")


@CHECKS.of("EU-18")
async def _retrieve(session: Session) -> None:
    bundle = await _retrieved(session)
    expect(bundle.get("type") == "document", f"The Bundle is a {bundle.get('type')}.", "Serve the document itself.")


@CHECKS.of("EU-19")
async def _same_document(session: Session) -> None:
    published, retrieved = session.value("summary"), await _retrieved(session)
    differing = [
        one["resource"]["resourceType"]
        for one, other in zip(published["entry"], retrieved.get("entry", ()), strict=False)
        if one != other
    ]
    remedy = "Return the document as it was published."
    expect(not differing, f"{', '.join(differing)} differs from what was published.", remedy)
    same = len(published["entry"]) == len(retrieved["entry"]) and published["identifier"] == retrieved["identifier"]
    expect(same, "The document has other entries, or another identifier.", remedy)


@CHECKS.of("EU-20")
async def _damaged(session: Session) -> None:
    path = _current(session, f"{LOINC}|{SUMMARY}")
    before = await found_ids(session, path)
    damaged = new_summary(session.value("person"))
    damaged["entry"] = damaged["entry"][1:]
    reply = await fhir_send(session, "POST", "DocumentReference", publication(session.value("patient"), damaged))
    expect_status(reply, 400, 422, remedy="Refuse a FHIR document that does not begin with its Composition.")
    expect_outcome(reply)
    after = await found_ids(session, path)
    expect(before == after, "The refused document is found.", "Keep nothing of a document that is refused.")


@CHECKS.of("EU-21")
async def _search_without_patient(session: Session) -> None:
    declared = declared_resources(await capability_statement(session))
    for type_ in ["DocumentReference", *(one for one in _CORE_RESOURCES if one in declared)][:4]:
        reply = await fhir_get(session, f"{type_}?_count=1")
        expect(400 <= reply.status < 500, f"{type_} without a patient: {reply.status}.", "Refuse it by 400.")
        expect_outcome(reply)


@CHECKS.of("EU-22")
async def _resources(session: Session) -> None:
    declared = declared_resources(await capability_statement(session))
    served = [one for one in _CORE_RESOURCES if "search-type" in codes_of(declared.get(one, {}), "interaction")]
    if not served:
        raise NotApplicable("The system declares none of the core resources.")
    patient = session.value("patient")
    for type_ in served:
        bundle = await fhir_search(session, f"{type_}?patient={patient}{_CORE_RESOURCES[type_]}&_count=20")
        for resource in entries(bundle, type_):
            about = resource.get("subject") or resource.get("patient") or {}
            others = not str(about.get("reference", "")).endswith(f"Patient/{patient}")
            expect(not others, f"{type_}/{resource.get('id')} is about another person.", "Search within the patient.")


@CHECKS.of("EU-23")
async def _export(session: Session) -> None:
    statement = await capability_statement(session)
    named = {str(one.get("name")).lstrip("$") for rest in statement["rest"] for one in rest.get("operation", ())}
    for resource in declared_resources(statement).values():
        named |= {name.lstrip("$") for name in codes_of(resource, "operation", "name")}
    offered = named & {"export", "patient-export", "group-export", "everything"}
    what = "No operation is declared by which all data can be taken elsewhere."
    expect(offered, what, "Offer $export (Bulk Data) or Patient/$everything.")


@CHECKS.of("EU-24")
async def _no_store(session: Session) -> None:
    reply = await fhir_get(session, session.value("document"))
    control = reply.headers.get("cache-control", "").lower()
    expect("no-store" in control or "private" in control, f"Cache-Control is {control!r}.", "Send no-store.")
