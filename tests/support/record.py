"""Support for tests of the record: services with persons and professionals, sample documents, and requests."""

import base64
import hashlib
import io
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

import httpx
import orjson
import pytest
from starlette.applications import Starlette

from esante.core.storage import NIL, uuid7
from esante.core.time_zone import today
from esante.core.web import HANDLERS, Problem, Sessions
from esante.identity.access import (
    Access,
    Representation,
    RepresentationKind,
    Requester,
    api_routes,
    requester_of,
)
from esante.identity.directory import Directory, Identifier, Organization, Person, Practitioner, Role
from esante.services.record import Deposit, Record
from esante.services.record.documents import mhd_api

BASE = "http://esante.test"
LOCAL = "urn:example:record-tests"


@dataclass
class World:
    """The services over a database, and requesters to act with (`people`)."""

    db: object
    journal: object
    directory: Directory
    access: Access
    record: Record
    people: dict = field(default_factory=dict)

    async def person(self, family: str = "Weber", *, opened: bool = True, identifiers=(), **traits) -> Person:
        """Register a person, by default with an open record; `traits` replace given names, birth date and sex."""
        traits = {"given": ("Anna",), "birth_date": date(1980, 5, 17), "sex": "female"} | traits
        person = await self.directory.register_person(
            Person(id=uuid7(), identifiers=(*identifiers, Identifier(LOCAL, uuid7().hex)), family=family, **traits)
        )
        if opened:
            sent = datetime.now(UTC) - timedelta(days=31)
            await self.access.lifecycle.announce([person.id], at=sent)
            await self.access.lifecycle.open_due()
        return person

    async def person_in(self, bundle: dict, identifiers=()) -> Person:
        """Register the person whom the first Patient of a FHIR Bundle names, with an open record."""
        resources = (entry["resource"] for entry in bundle["entry"])
        patient = next(resource for resource in resources if resource["resourceType"] == "Patient")
        name = patient["name"][0]
        return await self.person(
            name["family"],
            identifiers=identifiers,
            given=tuple(name["given"]),
            birth_date=date.fromisoformat(patient["birthDate"]),
            sex=patient["gender"],
        )

    async def organization(self, kind: str, name: str) -> Organization:
        """Register an organisation."""
        return await self.directory.register_organization(
            Organization(id=uuid7(), identifiers=(Identifier(LOCAL, uuid7().hex),), name=name, kind=kind)
        )

    async def practitioner(self, family: str, at: Organization | None = None, profession: str = "doctor"):
        """Register a practitioner, with a role at an organisation if one is given."""
        roles = (Role(id=uuid7(), organization_id=at.id, profession=profession, since=date(2020, 1, 1)),) if at else ()
        return await self.directory.register_practitioner(
            Practitioner(
                id=uuid7(),
                identifiers=(Identifier(LOCAL, uuid7().hex),),
                family=family,
                given=("Marc",),
                profession=profession,
                roles=roles,
            )
        )

    @asynccontextmanager
    async def client(self, requester: Requester, scopes: str = ""):
        """Yield an HTTP client of a requester, with a token of these scopes (by default: all)."""
        level = {"organization": "system", "patient": "patient"}.get(requester.kind, "user")
        token = await self.access.issue_token(
            requester, frozenset((scopes or f"{level}/*.cruds").split()), timedelta(hours=1)
        )
        app = Starlette(
            routes=[
                *mhd_api.routes(self.record, self.directory, self.access, f"{BASE}/fhir"),
                *api_routes(self.access, self.journal, self.directory, BASE),
            ],
            exception_handlers=HANDLERS,
        )
        app.state.sessions = Sessions(self.db)
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url=BASE, headers=headers
        ) as client:
            yield client

    async def into_circle(self, person: Person, practitioner: Practitioner) -> None:
        """Add a practitioner to the circle of a person."""
        await self.access.grants.add_to_circle(requester_of(person), practitioner.id)

    async def parent_of(self, child: Person, family: str = "Weber") -> Requester:
        """Record a parent of a person until tomorrow; return them as a requester."""
        parent, day = await self.person(family), today()
        acting = Representation(
            id=NIL,
            kind=RepresentationKind.PARENT,
            representative_id=parent.id,
            since=day - timedelta(days=1),
            until=day + timedelta(days=1),
        )
        operator = Requester(kind="operator", id=uuid7(), name="Operator")
        await self.access.representations.record(operator, child.id, acting, "Birth certificate")
        return requester_of(parent)

    async def events(self, person: Person, *types):
        """Return the person's journal entries of some types, oldest first: (entry, event)."""
        entries = await self.journal.entries_of(person.id, types, limit=1_000)
        return [(entry, entry.event) for entry in reversed(entries)]


@asynccontextmanager
async def open_world(db, journal, objects):
    """Yield the services over a database, with a hospital, a laboratory and three doctors."""
    await journal.ensure_months(datetime.now(UTC) - timedelta(days=80), datetime.now(UTC))
    directory = Directory(db, journal)
    access = Access(db, journal, directory, base_url=BASE)
    record = Record(db, objects, journal, directory, access)
    world = World(db, journal, directory, access, record)
    hospital = await world.organization("hospital", "Hôpital du Nord")
    laboratory = await world.organization("laboratory", "Labo Kirchberg")
    doctor = await world.practitioner("Muller")
    other = await world.practitioner("Thill")
    surgeon = await world.practitioner("Kieffer", hospital)
    world.people = {
        "hospital": requester_of(hospital),
        "laboratory": requester_of(laboratory),
        "doctor": requester_of(doctor),
        "other": requester_of(other),
        "surgeon": requester_of(surgeon, hospital),
        "operator": Requester(kind="operator", id=uuid7(), name="Operator"),
        "doctor_entry": doctor,
        "other_entry": other,
        "surgeon_entry": surgeon,
    }
    yield world
    await record.close()


def acting_for(representative: Person, person: Person) -> Requester:
    """Return somebody as a requester who acts for a person, as their session or token has it."""
    return replace(requester_of(representative), patient=person.id)


def letter(text: str = "", **meta) -> tuple[bytes, Deposit]:
    """Return a text letter that differs from every other, and its metadata."""
    content = f"Dear colleague,\n{text or uuid7().hex}\n".encode()
    return content, Deposit(type="51852-2", title="Letter", media_type="text/plain", **meta)


def pdf(text: str = "", edit=lambda document: None) -> bytes:
    """Return a small PDF; `edit` may add to the fpdf document."""
    from fpdf import FPDF

    document = FPDF()
    document.add_page()
    document.set_font("helvetica", size=12)
    document.cell(text=text or uuid7().hex)
    edit(document)
    return bytes(document.output())


def image(kind: str = "PNG", size=(8, 8)) -> bytes:
    """Return a small image of random colour."""
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", size, tuple(uuid7().bytes[-3:])).save(out, kind)
    return out.getvalue()


def cda(extra: str = "", code: str = "34133-9", **ids) -> bytes:
    """Return a small CDA R2 document."""
    root, extension = ids.get("root", "1.2.3"), ids.get("extension", uuid7().hex)
    return f"""<?xml version="1.0" encoding="UTF-8"?>{extra}
<ClinicalDocument xmlns="urn:hl7-org:v3">
  <id root="2.999" extension="{uuid7().hex}"/>
  <code code="{code}" codeSystem="2.16.840.1.113883.6.1"/>
  <title>Résumé</title>
  <effectiveTime value="20240311101500+0100"/>
  <languageCode code="fr"/>
  <recordTarget><patientRole><id root="{root}" extension="{extension}"/>
    <patient><name><given>Anna</given><family>Weber</family></name><birthTime value="19800517"/></patient>
  </patientRole></recordTarget>
</ClinicalDocument>""".encode()


def fhir_document(person: Person | None = None, *, type_: str = "18842-5", text: str = "", **composition) -> dict:
    """Return a FHIR document Bundle about a person (None: its Patient says nothing), as plain data."""
    patient_url, author_url = uuid7().urn, uuid7().urn
    patient: dict = {"resourceType": "Patient"}
    if person:
        patient["name"] = [{"family": person.family}]
        patient["identifier"] = [{"system": one.system, "value": one.value} for one in person.identifiers]
    return {
        "resourceType": "Bundle",
        "type": "document",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": uuid7().urn},
        "timestamp": "2024-03-11T10:15:00Z",
        "entry": [
            {
                "fullUrl": uuid7().urn,
                "resource": {
                    "resourceType": "Composition",
                    "status": "final",
                    "type": {"coding": [{"system": "http://loinc.org", "code": type_}]},
                    "subject": {"reference": patient_url},
                    "date": "2024-03-11T10:15:00Z",
                    "author": [{"reference": author_url}],
                    "title": "Discharge letter",
                    "section": [
                        {
                            "title": "Course",
                            "text": {
                                "status": "generated",
                                "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{text or uuid7().hex}</div>',
                            },
                        }
                    ],
                }
                | composition,
            },
            {"fullUrl": patient_url, "resource": patient},
            {
                "fullUrl": author_url,
                "resource": {"resourceType": "Practitioner", "name": [{"family": "Kieffer"}]},
            },
        ],
    }


FHIR = {"Content-Type": "application/fhir+json"}


def reference(person: Person, content: bytes, media_type: str, **fields) -> dict:
    """Return a DocumentReference with its bytes (ITI-105); `type_` is a LOINC code, `fields` replace elements."""
    type_ = fields.pop("type_", "")
    resource = {
        "resourceType": "DocumentReference",
        "status": "current",
        "subject": {"reference": f"Patient/{person.id}"},
        "content": [
            {
                "attachment": {
                    "contentType": media_type,
                    "data": base64.b64encode(content).decode(),
                    "size": len(content),
                    "hash": base64.b64encode(hashlib.sha1(content).digest()).decode(),
                }
            }
        ],
    }
    if type_:
        resource["type"] = {"coding": [{"system": "http://loinc.org", "code": type_}]}
    return resource | fields


def transaction(person: Person, *documents: tuple[dict, bytes, str], **fields) -> bytes:
    """Return an ITI-65 transaction; `documents`: (DocumentReference, bytes, media type). FHIR stays byte for byte."""
    subject = {"reference": f"Patient/{person.id}"}
    entries, raw = [], {}
    references = []
    for resource, content, media_type in documents:
        reference_url, content_url = uuid7().urn, uuid7().urn
        references.append(reference_url)
        resource = resource | {
            "resourceType": "DocumentReference",
            "status": "current",
            "subject": subject,
            "content": [{"attachment": {"contentType": media_type, "url": content_url}}],
        }
        entries.append(
            {
                "fullUrl": reference_url,
                "resource": resource,
                "request": {"method": "POST", "url": "DocumentReference"},
            }
        )
        if media_type == "application/fhir+json":
            mark = uuid7().hex
            raw[f'"{mark}"'.encode()] = content
            entries.append({"fullUrl": content_url, "resource": mark, "request": {"method": "POST", "url": "Bundle"}})
        else:
            binary = {
                "resourceType": "Binary",
                "contentType": media_type,
                "data": base64.b64encode(content).decode(),
            }
            entries.append(
                {"fullUrl": content_url, "resource": binary, "request": {"method": "POST", "url": "Binary"}}
            )
    submission = {
        "resourceType": "List",
        "status": "current",
        "mode": "working",
        "code": {
            "coding": [{"system": "https://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes", "code": "submissionset"}]
        },
        "subject": subject,
        "date": "2024-03-11T10:15:00Z",
        "entry": [{"item": {"reference": url}} for url in references],
    } | fields
    first = {"fullUrl": uuid7().urn, "resource": submission, "request": {"method": "POST", "url": "List"}}
    body = orjson.dumps({"resourceType": "Bundle", "type": "transaction", "entry": [first, *entries]})
    for mark, content in raw.items():
        body = body.replace(mark, content)
    return body


def loinc(code: str) -> dict:
    """Return a CodeableConcept with a LOINC code."""
    return {"coding": [{"system": "http://loinc.org", "code": code}]}


async def refusal_of(act) -> tuple[int, str]:
    """Return status and code of the problem that an act raises."""
    with pytest.raises(Problem) as refused:
        await act
    return refused.value.status, refused.value.code


_IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}")
_TIMES = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")
_CURSORS = re.compile(r"_cursor=[A-Za-z0-9_%-]+")


class Normalised:
    """Responses with their keys numbered in the order in which they appear, and without times and cursors."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self.answers: list[tuple[str, object]] = []

    def add(self, what: str, *parts: object) -> None:
        """Add a response under a name."""
        text = "\n".join(str(part) for part in parts)
        text = _TIMES.sub("<time>", _CURSORS.sub("_cursor=<cursor>", text))
        text = _IDS.sub(lambda match: self._name(match[0].replace("-", "")), text)
        self.answers.append((what, text))

    def _name(self, key: str) -> str:
        return self._names.setdefault(key, f"<key {len(self._names)}>")


def worker_pids(workers) -> set[int]:
    """Return the process ids of the started workers of a `WorkerPool`."""
    return {worker._process.pid for worker in workers._workers if worker._process}
