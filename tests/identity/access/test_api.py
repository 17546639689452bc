"""The access log over FHIR."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from starlette.applications import Starlette

from esante.core.fhir import check
from esante.core.storage import uuid7
from esante.core.web import HANDLERS
from esante.identity.access import (
    LogRead,
    api_routes,
    capabilities,
)
from esante.identity.access.audit.access_log import log_types
from tests.identity.access.conftest import BASE
from tests.support.access_events import (
    DOCTOR,
    DOCUMENT,
    RecordRead,
)


@pytest.fixture(scope="module")
async def http(house, journal):
    app = Starlette(routes=api_routes(house.access, journal, house.directory, BASE), exception_handlers=HANDLERS)
    app.state.sessions = house.access.sessions
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as found:
        yield found


async def bearer(house, requester, scope):
    token = await house.access.issue_token(requester, frozenset({scope}), timedelta(minutes=5))
    return {"Authorization": f"Bearer {token}"}


async def test_patient_reads_own_log_page_by_page(http, house, journal):
    patient = await house.open_patient()
    for _ in range(5):
        await journal.append(RecordRead(documents=(DOCUMENT,)), person_id=patient.id, actor=DOCTOR, origin="192.0.2.7")
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


async def test_date_parameter_filters_entries(http, house, journal):
    patient = await house.patient()
    days = [datetime.now(UTC) - timedelta(days=n) for n in (0, 2, 4)]
    for at in days:
        await journal.append(RecordRead(documents=(DOCUMENT,)), person_id=patient.id, actor=DOCTOR, at=at)
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


async def test_log_is_visible_to_its_patient_only(http, house, journal):
    patient, other = await house.open_patient(), await house.open_patient()
    entry = (await journal.entries_of(other.id, log_types()))[0]
    me = await bearer(house, patient, "patient/AuditEvent.rs")
    foreign = await http.get(f"/fhir/AuditEvent?patient={other.id}", headers=me)
    unknown = await http.get(f"/fhir/AuditEvent?patient={uuid7()}", headers=me)
    assert "entry" not in foreign.json() and "entry" not in unknown.json()
    answers = [
        await http.get(f"/fhir/AuditEvent/{id_}", headers=me)
        for id_ in (
            other.id.hex + entry.id.hex,
            patient.id.hex + entry.id.hex,
            patient.id.hex + "z" * 32,
            patient.id.hex,
            "x",
            patient.id.hex + "{" + "1" * 30 + "}",
        )
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    doctor = await bearer(house, house.doctor, "user/*.cruds")
    log = await http.get(f"/fhir/AuditEvent?patient={patient.id}", headers=doctor)
    assert log.status_code == 200 and "entry" not in log.json(), "not this person's referring doctor"
    theirs = await http.get(f"/fhir/AuditEvent/{patient.id.hex}{entry.id.hex}", headers=doctor)
    assert theirs.status_code == 404
    for requester, scope in ((house.operator, "user/*.cruds"), (house.software, "system/*.rs")):
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
async def test_invalid_search_is_refused_with_diagnostics(http, house, query):
    patient = await house.patient()
    me = await bearer(house, patient, "patient/AuditEvent.rs")
    answer = await http.get(f"/fhir/AuditEvent?{query.format(me=patient.id)}", headers=me)
    assert answer.status_code == 400
    assert check(answer.content).issues == ()
    assert answer.json()["issue"][0]["diagnostics"]


def test_capability_statement_lists_audit_event():
    (found,) = [entry for entry in capabilities() if entry["type"] == "AuditEvent"]
    assert {param["name"] for param in found["searchParam"]} == {"patient", "date"}
