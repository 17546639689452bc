"""Requests that name something hidden: each must be answered, and worked on, as if it did not exist."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from uuid import UUID

import orjson

from esante.core.storage import uuid7
from esante.core.types import Json
from esante.core.xds import (
    FIND_SUBMISSION_SETS,
    GET_ALL,
    GET_ASSOCIATIONS,
    GET_DOCUMENTS,
    GET_SUBMISSION_SET_AND_CONTENTS,
    GET_SUBMISSION_SETS,
)
from esante.services.exchange.hospital.entries import set_uuid
from esante.services.exchange.hospital.patients import community_oid
from esante.services.record import Document
from tests.services.exchange.hospital import messages as xds
from tests.support.submissions import LABORATORY, build_document_reference

BASE_URL = "http://records.example"
"""The address of the platform that is asked."""
FHIR = {"Content-Type": "application/fhir+json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
OWN_NUMBER = ("urn:example:lab", "4711")
"""The identifier of the hidden document."""
FACT_NUMBER = ("urn:example:fact", "0815")
"""The identifier of the hidden resource."""


@dataclass(frozen=True)
class Hidden:
    """What is hidden in the record of a person: a document, one of its resources, and a resource written directly.

    `resource` and `author` (of the document) and `fact` are types with logical ids. `laboratory` deposited it.
    """

    person_id: UUID
    document: Document
    resource: tuple[str, str]
    author: tuple[str, str]
    fact: tuple[str, str]
    laboratory: UUID
    content: bytes

    @property
    def submission(self) -> str:
        """The logical id of the submission set of the document."""
        return f"{self.person_id.hex}{self.document.submission_id.hex}"


@dataclass(frozen=True)
class Call:
    """A request; `page` with the session of the portal. `writes`: it may create something in either world."""

    path: str
    method: str = "GET"
    page: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes | None = None
    form: dict[str, str] | None = None
    file: bytes | None = None
    writes: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def document_searches(document: Document, laboratory: UUID, identifier_system: str) -> Iterator[str]:
    """Yield searches by every parameter of ITI-67 and ITI-66, with values of a document of a laboratory."""
    subject = f"patient=Patient/{document.person_id}"
    parameters = [
        "",
        "&_count=0",
        "&_count=1",
        "&_count=200",
        "&_summary=count",
        "&status=current",
        "&status=superseded,entered-in-error",
        f"&type=http://loinc.org|{document.type}",
        f"&category={document.category}",
        f"&period={document.event_date}",
        f"&creation=ge{document.event_date}",
        f"&date=ge{document.deposited_at:%Y-%m-%dT%H:%M:%SZ}",
        f"&_lastUpdated=ge{document.changed_at:%Y-%m-%dT%H:%M:%SZ}",
        f"&author=Organization/{laboratory}",
        f"&author.identifier={identifier_system}|laboratory",
        "&author.family=Labo",
        "&author.given=Labo",
        f"&identifier={OWN_NUMBER[0]}|{OWN_NUMBER[1]}",
        f"&identifier=urn:ietf:rfc:3986|{document.id.urn}",
        "&security-label=V",
        f"&format={document.format}",
        f"&contenttype={document.media_type}",
    ]
    for parameter in parameters:
        yield f"DocumentReference?{subject}{parameter}"
    yield f"DocumentReference?patient.identifier={identifier_system}|person-0"
    yield f"DocumentReference?_id={document.key}"
    yield f"DocumentReference/$docref?patient={document.person_id}"
    yield f"DocumentReference/$docref?patient={document.person_id}&start=2020-01-01&end=2030-01-01"
    for parameter in ("", "&code=submissionset", "&source.family=Labo", "&status=current", "&_count=2"):
        yield f"List?{subject}{parameter}"
    yield f"List?{subject}&identifier=urn:ietf:rfc:3986|{document.submission_id.urn}"
    yield f"List?{subject}&date=ge{document.deposited_at:%Y-%m-%dT%H:%M:%SZ}"
    yield f"List?_id={document.person_id.hex}{document.submission_id.hex}"


def clinical_searches(hidden: Hidden) -> Iterator[str]:
    """Yield searches, histories and operations over clinical resources."""
    person = hidden.person_id
    subject = f"patient=Patient/{person}"
    for type_, id_ in (hidden.resource, hidden.fact):
        yield f"{type_}?{subject}"
        yield f"{type_}?{subject}&_summary=count"
        yield f"{type_}?{subject}&_count=1&_total=accurate"
        yield f"{type_}?{subject}&_id={id_}"
        yield f"{type_}?{subject}&_include=*&_revinclude=Provenance:target"
        yield f"{type_}?{subject}&_lastUpdated=ge2020-01-01&_sort=-_lastUpdated"
        yield f"Patient/{person}/{type_}?_count=5"
        yield f"{type_}/_history?{subject}"
        yield f"{type_}/{id_}/_history"
        yield f"Provenance?target={type_}/{id_}"
        yield f"Provenance/{id_}"
    yield f"Observation?{subject}&identifier={FACT_NUMBER[0]}|{FACT_NUMBER[1]}"
    yield f"Observation?{subject}&encounter.status=finished"
    yield f"Encounter?{subject}&_has:Observation:encounter:status=final"
    yield f"Encounter?{subject}"
    yield f"Composition?{subject}&_include=Composition:author"
    yield f"Patient/{person}/_history"
    yield f"Patient/{person}/_history?_since=2020-01-01T00:00:00Z&_count=2"
    yield f"Patient/{person}/$everything"
    yield f"Patient/{person}/$everything?_count=2"
    yield f"Patient/{person}/$everything?_type=Observation,DocumentReference&_since=2020-01-01T00:00:00Z"
    yield f"Patient/{person}/$everything?start=2020-01-01&end=2030-01-01"


def reads(hidden: Hidden) -> Iterator[Call]:
    """Yield reads of the hidden things by their ids."""
    key, (type_, id_), (fact_type, fact_id) = hidden.document.key, hidden.resource, hidden.fact
    tag = {"If-None-Match": f'"{hidden.document.sha256.hex()}"', "Accept": "application/fhir+json"}
    paths = [f"DocumentReference/{key}", f"Bundle/{key}", f"Binary/{key}", f"List/{hidden.submission}"]
    paths += [
        "/".join(hidden.author),
        f"{type_}/{id_}",
        f"{type_}/{id_}/_history/{hidden.document.id.hex}",
        f"Composition/{id_}/$document",
    ]
    paths += [f"{fact_type}/{fact_id}", f"{fact_type}/{fact_id}/_history/1", f"{fact_type}/{fact_id}?_summary=true"]
    for path in paths:
        for method in ("GET", "HEAD"):
            yield Call(f"/fhir/{path}", method, headers=tag)
    yield Call(f"/fhir/AuditEvent?patient=Patient/{hidden.person_id}")
    yield Call(f"/fhir/AuditEvent?entity={hidden.document.key}")
    yield Call(f"/fhir/Group/{hidden.laboratory}")


def page_calls(hidden: Hidden) -> Iterator[Call]:
    """Yield pages of the portal about the record, and about the hidden document."""
    home = f"/patients/{hidden.person_id}"
    document = f"{home}/documents/{hidden.document.id}"
    paths = ["/", "/patients", home, f"{home}?view=type", f"{home}?q=Analyse", f"{home}?withdrawn=yes"]
    paths += [f"{home}?category={hidden.document.category}", f"{home}/deposit", f"{home}/apps", f"{home}/statements"]
    paths += [document, f"{document}/original", f"{document}/readable", f"{document}/picture", f"{document}/media/1"]
    paths += [f"{document}/pages/1.png", f"{home}/deposit?replaces={hidden.document.id}"]
    for path in paths:
        yield Call(path, page=True)


def built_documents(hidden: Hidden) -> Iterator[Call]:
    """Yield requests for documents that are built out of the record; each has an identifier and a time of its own."""
    operation, page = f"/fhir/Patient/{hidden.person_id}", f"/patients/{hidden.person_id}/summary"
    for path in (f"{operation}/$summary", f"{operation}/$document?kind=laboratory-report"):
        yield Call(path, writes=True)
    yield Call(f"{operation}/$document?kind=laboratory-report&focus={'/'.join(hidden.resource)}", writes=True)
    for path in (page, f"{page}?q=Analyse", f"{page}/document.json"):
        yield Call(path, page=True, writes=True)


def form_calls(hidden: Hidden, csrf: str) -> Iterator[Call]:
    """Yield forms of the portal that would change the hidden document."""
    document = f"/patients/{hidden.person_id}/documents/{hidden.document.id}"
    for act in ("withdraw", "correct"):
        form = {"_csrf": csrf, "reason": "Erreur", "identifier": "person-1"}
        yield Call(f"{document}/{act}", "POST", page=True, form=form)
    yield Call(f"{document}/retention", "POST", page=True, form={"_csrf": csrf, "length": "life"})
    yield Call(f"/patients/{hidden.person_id}/deposit/opposition", "POST", page=True, form={"_csrf": csrf})
    yield from act_calls(hidden)
    yield from vaccination_calls(hidden, csrf)


def vaccination_calls(hidden: Hidden, csrf: str) -> Iterator[Call]:
    """Yield pages and forms of the vaccination card, and of what would be a dose on it."""
    home = f"/patients/{hidden.person_id}/vaccinations"
    dose, form = f"{home}/{UUID(hidden.resource[1][-32:])}", {"_csrf": csrf}
    for path in (home, *(f"{home}/{name}" for name in ("copy", "new", "refusal", "scan")), dose, f"{dose}/correct"):
        yield Call(path, page=True, writes=True)  # a form has a new key each time
    for name in ("contraindications", "copy", "new", "refusal", "scan"):
        yield Call(f"{home}/{name}", "POST", page=True, form=form, writes=True)
    yield Call(f"{home}/contraindications/{dose.rpartition('/')[2]}/end", "POST", page=True, form=form)
    for name in ("confirm", "correct", "event", "withdraw"):
        yield Call(f"{dose}/{name}", "POST", page=True, form=form)


def act_calls(hidden: Hidden) -> Iterator[Call]:
    """Yield acts about the person, and about the hidden document."""
    person = f"/api/persons/{hidden.person_id}"
    for path in ("representations", "capacity", "oppositions"):
        yield _sent(f"{person}/{path}", {})
        yield Call(f"{person}/{path}/{hidden.document.id}", "DELETE")
    opposed = {"against": "representatives", "series": str(hidden.document.series_id)}
    yield replace(_sent(f"{person}/oppositions", opposed), writes=True)


def refused_writes(hidden: Hidden) -> Iterator[Call]:
    """Yield writes that would change something hidden; each fails as for something absent."""
    document = hidden.document.key
    withdrawn = {
        "resourceType": "DocumentReference",
        "id": document,
        "status": "entered-in-error",
        "description": "Erreur",
        "content": [{"attachment": {"contentType": "text/plain", "title": "x"}}],
    }
    yield _sent(f"/fhir/DocumentReference/{document}", withdrawn, "PUT")
    replacing = {"relatesTo": [{"code": "replaces", "target": {"reference": f"DocumentReference/{document}"}}]}
    yield _sent("/fhir/DocumentReference", _document_reference(hidden, hidden.content + b" ", **replacing))
    for type_, id_ in (hidden.fact, hidden.resource):
        yield from _changes(f"/fhir/{type_}/{id_}")
    changed = observation(hidden.person_id) | {"id": hidden.fact[1]}
    yield _sent(f"/fhir/Observation/{hidden.fact[1]}", changed, "PUT")
    criteria = f"patient=Patient/{hidden.person_id}&identifier={FACT_NUMBER[0]}|{FACT_NUMBER[1]}"
    yield Call(f"/fhir/Observation?{criteria}", "DELETE")
    yield _sent(f"/fhir/Observation?{criteria}", changed, "PUT")
    fact, resource = "/".join(hidden.fact), "/".join(hidden.resource)
    for entries in ([_entry("GET", fact), _entry("GET", resource)], [_entry("DELETE", fact)]):
        yield _sent("/fhir", {"resourceType": "Bundle", "type": "batch", "entry": entries})
        yield _sent("/fhir/", {"resourceType": "Bundle", "type": "transaction", "entry": entries})


def _changes(address: str) -> Iterator[Call]:
    """Yield changes of a resource that say nothing about what it was."""
    yield Call(address, "DELETE")
    yield Call(address, "DELETE", headers={"If-Match": 'W/"1"'})
    patch = orjson.dumps([{"op": "replace", "path": "/status", "value": "amended"}])
    yield Call(address, "PATCH", headers={"Content-Type": "application/json-patch+json"}, content=patch)
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}
    meta = {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": {"security": [label]}}]}
    yield _sent(f"{address}/$meta-add", meta)
    yield _sent(f"{address}/$meta-delete", meta)


def accepted_writes(hidden: Hidden, csrf: str) -> Iterator[Call]:
    """Yield writes beside something hidden: each is answered as if nothing like it was there."""
    create = _sent("/fhir/Observation", observation(hidden.person_id))
    number = {"If-None-Exist": f"identifier={FACT_NUMBER[0]}|{FACT_NUMBER[1]}"}
    yield replace(create, headers={**FHIR, **number}, writes=True)
    same = _sent("/fhir/DocumentReference", _document_reference(hidden, hidden.content))
    yield replace(same, writes=True)
    yield replace(same, writes=True)
    yield Call(
        f"/patients/{hidden.person_id}/deposit",
        "POST",
        page=True,
        form={"_csrf": csrf, "title": "Analyse"},
        file=hidden.content,
        writes=True,
    )
    for path in (f"/fhir/Patient/{hidden.person_id}/$export", "/fhir/$export"):
        yield Call(path, headers={"Prefer": "respond-async"}, writes=True)
        yield replace(
            _sent(path, {"resourceType": "Parameters"}), headers={**FHIR, "Prefer": "respond-async"}, writes=True
        )


def registry_calls(hidden: Hidden) -> Iterator[Call]:
    """Yield messages of XDS.b and PDQv3 that name the person, the document, its submission set."""
    yield Call("/api/xds")
    community = community_oid(BASE_URL)
    cx = f"{hidden.person_id.hex}^^^&{community}&ISO"
    entry, set_, key = "$XDSDocumentEntry", "$XDSSubmissionSet", hidden.document.id
    named = set_uuid(hidden.document.submission_id)
    every = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')"
    queries = [
        xds.find_documents(cx),
        xds.find_documents(cx, TypeCode=f"('{hidden.document.type}')"),
        xds.adhoc_query(FIND_SUBMISSION_SETS, {f"{set_}PatientId": f"'{cx}'", f"{set_}Status": every}),
        xds.adhoc_query(
            GET_ALL,
            {
                "$patientId": f"'{cx}'",
                f"{entry}Status": every,
                f"{set_}Status": every,
                "$XDSFolderStatus": every,
            },
        ),
        xds.adhoc_query(GET_DOCUMENTS, {f"{entry}EntryUUID": f"('{key.urn}')"}),
        xds.adhoc_query(GET_DOCUMENTS, {f"{entry}UniqueId": f"('2.25.{key.int}')"}, "ObjectRef"),
        xds.adhoc_query(GET_ASSOCIATIONS, {"$uuid": f"('{key.urn}')"}),
        xds.adhoc_query(GET_SUBMISSION_SETS, {"$uuid": f"('{key.urn}')"}),
        xds.adhoc_query(GET_SUBMISSION_SET_AND_CONTENTS, {f"{set_}EntryUUID": f"('{named.urn}')"}),
    ]
    for query in queries:
        yield Call("/api/xds/registry", "POST", headers=xds.SOAP_XML, content=xds.envelope(query, message_id=key.urn))
    retrieval = xds.envelope(xds.retrieve((community, f"2.25.{key.int}")), message_id=key.urn)
    yield Call("/api/xds/repository", "POST", headers=xds.SOAP_XML, content=retrieval)
    person = (
        '<PRPA_IN201309UV02 xmlns="urn:hl7-org:v3"><id root="1.2"/><controlActProcess><queryByParameter>'
        '<queryId root="1.3"/><parameterList><patientIdentifier>'
        f'<value root="{community}" extension="{hidden.person_id.hex}"/></patientIdentifier></parameterList>'
        "</queryByParameter></controlActProcess></PRPA_IN201309UV02>"
    )
    sent = xds.envelope(person, message_id=key.urn)
    yield Call("/api/xds/patients", "POST", headers=xds.SOAP_XML, content=sent)


def all_calls(hidden: Hidden, identifier_system: str, csrf: str) -> Iterator[Call]:
    """Yield all requests, those that write last."""
    for path in (
        *document_searches(hidden.document, hidden.laboratory, identifier_system),
        *clinical_searches(hidden),
    ):
        yield Call(f"/fhir/{path}")
    body = f"patient=Patient/{hidden.person_id}&security-label=V".encode()
    yield Call("/fhir/DocumentReference/_search", "POST", headers=FORM, content=body)
    by_person, by_target = body.partition(b"&")[0], f"target={'/'.join(hidden.resource)}".encode()
    yield Call("/fhir/Observation/_search", "POST", headers=FORM, content=by_person)
    yield Call("/fhir/List/_search", "POST", headers=FORM, content=by_person)
    yield Call("/fhir/Provenance/_search", "POST", headers=FORM, content=by_target)
    yield Call(f"/fhir/Patient/{hidden.person_id}/Composition/_search", "POST", headers=FORM, content=b"_count=5")
    patient = {"name": "patient", "valueId": str(hidden.person_id)}
    yield _sent("/fhir/DocumentReference/$docref", {"resourceType": "Parameters", "parameter": [patient]})
    yield from reads(hidden)
    yield from registry_calls(hidden)
    yield from page_calls(hidden)
    yield from built_documents(hidden)
    yield from refused_writes(hidden)
    yield from form_calls(hidden, csrf)
    yield from accepted_writes(hidden, csrf)


def observation(person_id: UUID, number: tuple[str, str] = FACT_NUMBER) -> Json:
    """Return an Observation of a person with an identifier."""
    return {
        "resourceType": "Observation",
        "identifier": [{"system": number[0], "value": number[1]}],
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": f"Patient/{person_id}"},
        "effectiveDateTime": date(2024, 3, 12).isoformat(),
        "valueString": uuid7().hex,
    }


def _document_reference(hidden: Hidden, content: bytes, **more: Any) -> Json:
    subject = {"reference": f"Patient/{hidden.person_id}"}
    meta = {"title": "Analyse", "type_": LABORATORY, "media_type": "application/fhir+json"}
    return build_document_reference(subject, content, **meta, **more)


def _entry(method: str, url: str) -> Json:
    return {"fullUrl": uuid7().urn, "request": {"method": method, "url": url}}


def _sent(path: str, body: Json, method: str = "POST") -> Call:
    return Call(path, method, headers=FHIR, content=orjson.dumps(body))
