"""Who looked: entries in plain words, and as FHIR AuditEvent in the shape of IHE BALP."""

import base64
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import httpx
import msgspec
import orjson
import pytest
from starlette.applications import Starlette

from esante.core.fhir import check
from esante.core.journal import Actor, Entry, event
from esante.core.storage import uuid7, uuid7_time
from esante.core.web import HANDLERS
from esante.identity.access import AccessEvent, EmergencyDeclared, LogRead, api_routes, capabilities
from esante.identity.access.audit.access_log import KINDS, fits, line, log_types, scan
from esante.identity.access.audit.audit_event import BALP, audit_event

from .conftest import BASE

PERSON, DOCUMENT, SECOND = uuid7(), uuid7(), uuid7()
DOCTOR = Actor(
    kind="practitioner", id=uuid7(), name="Dr Weber", role="doctor", organization_id=uuid7(), organization="Hôpital"
)


@event("test.access_seen")
class Seen(AccessEvent, frozen=True, kw_only=True):
    ACTION: ClassVar[str] = "R"


@event("test.access_put")
class Put(AccessEvent, frozen=True, kw_only=True):
    ACTION: ClassVar[str] = "C"
    WORDS: ClassVar[str] = "%(actor)s put in: %(categories)s."


@event("test.access_changed")
class Changed(AccessEvent, frozen=True, kw_only=True):
    ACTION: ClassVar[str] = "U"


@event("test.access_sought")
class Sought(AccessEvent, frozen=True, kw_only=True):
    ACTION: ClassVar[str] = "E"


def entry(told, actor=DOCTOR, origin="192.0.2.7"):
    id_ = uuid7()
    return Entry(id_, PERSON, uuid7_time(id_), told.TYPE, actor, origin, told, 7)


def agent(resource, code):
    return next(a for a in resource["agent"] if a["type"]["coding"][0]["code"] == code)


def entities(resource, code):
    return [found for found in resource["entity"] if found["type"]["code"] == code]


ACCESSES = [
    (Seen(documents=(DOCUMENT,), categories=("letter",), grant_id=uuid7(), grant_kind="circle", rule="grant.circle"), "PatientRead", "read", "R"),
    (Put(documents=(DOCUMENT,), categories=("letter",), rule="write.matrix"), "PatientCreate", "create", "C"),
    (Changed(documents=(DOCUMENT,), categories=("letter",)), "PatientUpdate", "update", "U"),
    (Sought(categories=("letter", "prescription")), "PatientQuery", "search", "E"),
]  # fmt: skip


@pytest.mark.parametrize(("told", "profile", "interaction", "action"), ACCESSES)
def test_an_access_has_the_shape_of_its_balp_profile(told, profile, interaction, action):
    found = audit_event(entry(told), BASE)
    assert check(orjson.dumps(found)).issues == ()
    assert found["meta"]["profile"] == [BALP + profile]
    assert found["type"]["code"] == "rest"
    assert [coding["code"] for coding in found["subtype"]] == [interaction]
    assert (found["action"], found["outcome"]) == (action, "0")
    client, server = ("110152", "110153") if action == "R" else ("110153", "110152")
    assert agent(found, client)["network"] == {"address": "192.0.2.7", "type": "2"}
    assert agent(found, server)["who"]["identifier"]["value"] == BASE
    assert agent(found, server)["network"]
    user = agent(found, "AUT" if action in "CU" else "IRCP")
    assert (user["requestor"], user["name"]) == (True, "Dr Weber")
    assert user["who"]["reference"] == f"Practitioner/{DOCTOR.id}"
    assert "network" not in user and "media" not in user
    assert user["purposeOfUse"][0]["coding"][0]["code"] == "TREAT"
    assert sum(a["requestor"] for a in found["agent"]) == 1
    (patient,) = entities(found, "1")
    assert patient["what"] == {"reference": f"Patient/{PERSON}"}
    assert patient["role"]["code"] == "1"
    (data,) = entities(found, "2")
    if action == "E":
        assert base64.b64decode(data["query"]).decode() == f"DocumentReference?patient={PERSON}"
        assert data["role"]["code"] == "24"
        assert not {"what", "detail", "lifecycle"} & set(data)
    else:
        assert data["what"]["reference"] == f"DocumentReference/{PERSON.hex}{DOCUMENT.hex}"
        assert data["role"]["code"] == "3"


def test_grant_rule_and_categories_stand_in_the_details():
    told = ACCESSES[0][0]
    found = audit_event(entry(told), BASE)
    details = {(detail["type"], detail["valueString"]) for detail in entities(found, "1")[0]["detail"]}
    assert {("rule", "grant.circle"), ("grant", "circle"), ("category", "letter"), ("position", "7")} <= details
    assert agent(found, "IRCP")["policy"] == [f"urn:uuid:{told.grant_id}"]
    assert agent(found, "PROV")["who"]["reference"] == f"Organization/{DOCTOR.organization_id}"


def test_a_refusal_claims_no_profile_and_says_why():
    found = audit_event(entry(Seen(allowed=False, reason="no-grant", rule="no-grant")), BASE)
    assert check(orjson.dumps(found)).issues == ()
    assert (found["outcome"], found["outcomeDesc"]) == ("4", "You gave no access.")
    assert "meta" not in found


def test_many_documents_at_once_claim_no_profile_that_wants_one():
    found = audit_event(entry(Seen(documents=(DOCUMENT, SECOND))), BASE)
    assert "meta" not in found
    assert len(entities(found, "2")) == 2


def test_an_emergency_is_an_emergency():
    told = EmergencyDeclared(purpose="ETREAT", justification="Unconscious after a fall", grant_id=uuid7())
    found = audit_event(entry(told), BASE)
    assert check(orjson.dumps(found)).issues == ()
    assert found["subtype"][0]["code"] == "110127"
    assert found["purposeOfEvent"][0]["coding"][0]["code"] == "ETREAT"


@pytest.mark.parametrize("type_", log_types())
def test_every_event_of_the_log_has_words_and_is_valid_fhir(type_):
    samples = {
        "str": "x",
        "UUID": uuid7(),
        "datetime": datetime.now(UTC),
        "bool": True,
        "float": 1.0,
        "int": 1,
        "tuple": (),
    }
    missing = {field.name: field for field in msgspec.structs.fields(type_) if field.required}
    told = type_(**{name: samples[field.type.__name__] for name, field in missing.items()})
    if "kind" in missing:
        told = msgspec.structs.replace(told, kind="circle")
    for who in (DOCTOR, Actor(kind="system", name="esante"), Actor(kind="patient", id=PERSON, name="Anna")):
        found = entry(told, who, origin="")
        assert check(orjson.dumps(audit_event(found, BASE))).issues == ()
        assert line(found, str, {}, {}).text.endswith(".")


def test_a_line_says_who_what_why_and_finds_itself():
    told = Put(
        categories=("letter",), documents=(DOCUMENT,), grant_kind="circle", reason="circle", rule="grant.circle"
    )
    in_french = {"%(actor)s put in: %(categories)s.": "%(actor)s a déposé : %(categories)s.", "Letter": "Lettre"}
    shown = line(entry(told), lambda text: in_french.get(text, text), {"letter": "Letter"}, {"doctor": "Doctor"})
    assert shown.text == "Dr Weber a déposé : Lettre."
    assert (shown.role, shown.organization, shown.grant) == ("Doctor", "Hôpital", "Circle")
    assert fits(shown, ["weber", "lettre"])
    assert not fits(shown, ["klein"])


def test_an_expired_entry_says_so():
    gone = Entry(uuid7(), PERSON, datetime.now(UTC), "test.seen", Actor(kind="expired"), "", None, 1)
    assert "retention" in line(gone, str, {}, {}).text


def test_each_filter_shows_its_kinds_only():
    assert EmergencyDeclared in log_types("emergency")
    assert EmergencyDeclared not in log_types("looked")
    assert Put in log_types("documents") and Put not in log_types("looked")
    assert Seen in log_types("looked") and Seen not in log_types("documents")
    assert not [type_ for type_ in log_types("sharing") if issubclass(type_, AccessEvent)]
    assert all(log_types(kind) for kind in KINDS)


async def test_a_scan_pages_through_without_losing_or_repeating(journal):
    person = uuid7()
    for number in range(450):
        told = Seen(rule="odd" if number % 2 else "even")
        await journal.append(told, person_id=person, actor=DOCTOR)
    seen, before, pages = [], None, 0
    while True:
        page = await scan(journal, person, [Seen], lambda e: e.event.rule == "odd", before=before, limit=40)
        seen += [found.id for found in page.items]
        pages += 1
        if page.next is None:
            break
        before = type(person)(page.next)
    assert len(seen) == len(set(seen)) == 225
    assert seen == sorted(seen, reverse=True)
    assert pages == 6


# The API


@pytest.fixture(scope="module")
async def http(house, journal):
    app = Starlette(routes=api_routes(house.access, journal, house.directory, BASE), exception_handlers=HANDLERS)
    app.state.sessions = house.access.sessions
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as found:
        yield found


async def bearer(house, requester, scope):
    token = await house.access.issue_token(requester, frozenset({scope}), timedelta(minutes=5))
    return {"Authorization": f"Bearer {token}"}


async def test_a_patient_reads_her_own_log_page_by_page(http, house, journal):
    patient = await house.open_patient()
    for _ in range(5):
        await journal.append(Seen(documents=(DOCUMENT,)), person_id=patient.id, actor=DOCTOR, origin="192.0.2.7")
    me = await bearer(house, patient, "patient/AuditEvent.rs")
    url, seen = f"/fhir/AuditEvent?patient=Patient/{patient.id}&_count=3", []
    while url:
        answer = await http.get(url, headers=me)
        assert check(answer.content).issues == ()
        bundle = answer.json()
        seen += [found["resource"] for found in bundle.get("entry", [])]
        url = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None)
        url = url and url.removeprefix(BASE)
    assert len(seen) == len({found["id"] for found in seen}) == 7
    assert [found["recorded"] for found in seen] == sorted((f["recorded"] for f in seen), reverse=True)
    one = await http.get(f"/fhir/AuditEvent/{seen[0]['id']}", headers=me)
    assert one.json() == seen[0]
    assert len(await journal.entries_of(patient.id, [LogRead])) == 1


async def test_dates_choose_among_the_entries(http, house, journal):
    patient = await house.patient()
    days = [datetime.now(UTC) - timedelta(days=n) for n in (0, 2, 4)]
    for at in days:
        await journal.append(Seen(documents=(DOCUMENT,)), person_id=patient.id, actor=DOCTOR, at=at)
    me = await bearer(house, patient, "patient/AuditEvent.rs")

    async def count(*dates):
        params = [("patient", str(patient.id)), *(("date", found) for found in dates)]
        return len((await http.get("/fhir/AuditEvent", params=params, headers=me)).json().get("entry", []))

    middle = days[1].date().isoformat()
    assert await count() == 3
    assert await count(middle) == 1
    assert await count(f"ge{middle}") == 2
    assert await count(f"gt{middle}") == 1
    assert await count(f"lt{middle}") == 1
    assert await count(f"le{middle}") == 2
    assert await count(f"ne{middle}") == 2
    assert await count(f"ge{middle}", f"le{middle}") == 1
    assert await count(f"gt{days[0].date() + timedelta(days=2)}") == 0


async def test_nobody_else_sees_it_and_nothing_of_another(http, house, journal):
    patient, other = await house.open_patient(), await house.open_patient()
    told = (await journal.entries_of(other.id, log_types()))[0]
    me = await bearer(house, patient, "patient/AuditEvent.rs")
    foreign = await http.get(f"/fhir/AuditEvent?patient={other.id}", headers=me)
    unknown = await http.get(f"/fhir/AuditEvent?patient={uuid7()}", headers=me)
    assert "entry" not in foreign.json() and "entry" not in unknown.json()
    answers = [
        await http.get(f"/fhir/AuditEvent/{id_}", headers=me)
        for id_ in (
            other.id.hex + told.id.hex,
            patient.id.hex + told.id.hex,
            patient.id.hex + "z" * 32,
            patient.id.hex,
            "x",
            patient.id.hex + "{" + "1" * 30 + "}",
        )
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    for requester, scope in (
        (house.doctor, "user/*.cruds"),
        (house.operator, "user/*.cruds"),
        (house.software, "system/*.rs"),
    ):
        them = await bearer(house, requester, scope)
        assert (await http.get(f"/fhir/AuditEvent?patient={patient.id}", headers=them)).status_code == 403
    assert (await http.get(f"/fhir/AuditEvent?patient={patient.id}")).status_code == 401
    narrow = await bearer(house, patient, "patient/DocumentReference.rs")
    assert (await http.get(f"/fhir/AuditEvent?patient={patient.id}", headers=narrow)).status_code == 403


@pytest.mark.parametrize(
    "query",
    ["", "patient=x&patient=y", "patient={me}&date=never", "patient={me}&_count=-1", "patient={me}&_cursor=%00",
     "patient={me}&_cursor=WyJ4Il0", "patient:exact={me}"],
)  # fmt: skip
async def test_wrong_searches_say_what_is_wrong(http, house, query):
    patient = await house.patient()
    me = await bearer(house, patient, "patient/AuditEvent.rs")
    answer = await http.get(f"/fhir/AuditEvent?{query.format(me=patient.id)}", headers=me)
    assert answer.status_code == 400
    assert check(answer.content).issues == ()
    assert answer.json()["issue"][0]["diagnostics"]


def test_the_capability_statement_lists_the_log():
    (found,) = [entry for entry in capabilities() if entry["type"] == "AuditEvent"]
    assert {param["name"] for param in found["searchParam"]} == {"patient", "date"}
