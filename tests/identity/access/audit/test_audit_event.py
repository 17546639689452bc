"""Journal entries as FHIR AuditEvent in the form of IHE BALP."""

import base64

import orjson
import pytest

from esante.core.fhir import check
from esante.core.storage import uuid7
from esante.identity.access import (
    EmergencyDeclared,
)
from esante.identity.access.audit.audit_event import BALP, audit_event
from tests.identity.access.conftest import BASE
from tests.support.access_events import (
    DOCTOR,
    DOCUMENT,
    OTHER_DOCUMENT,
    PERSON,
    RecordCreated,
    RecordRead,
    RecordSearched,
    RecordUpdated,
    entry_of,
)


def agent(resource, code):
    return next(a for a in resource["agent"] if a["type"]["coding"][0]["code"] == code)


def entities(resource, code):
    return [found for found in resource["entity"] if found["type"]["code"] == code]


ACCESSES = [
    (RecordRead(documents=(DOCUMENT,), categories=("letter",), grant_id=uuid7(), grant_kind="circle", rule="grant.circle"), "PatientRead", "read", "R"),
    (RecordCreated(documents=(DOCUMENT,), categories=("letter",), rule="write.matrix"), "PatientCreate", "create", "C"),
    (RecordUpdated(documents=(DOCUMENT,), categories=("letter",)), "PatientUpdate", "update", "U"),
    (RecordSearched(categories=("letter", "prescription")), "PatientQuery", "search", "E"),
]  # fmt: skip


@pytest.mark.parametrize(("event", "profile", "interaction", "action"), ACCESSES)
def test_access_conforms_to_its_balp_profile(event, profile, interaction, action):
    found = audit_event(entry_of(event), BASE)
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


def test_details_have_grant_rule_and_categories():
    event = ACCESSES[0][0]
    found = audit_event(entry_of(event), BASE)
    details = {(detail["type"], detail["valueString"]) for detail in entities(found, "1")[0]["detail"]}
    assert {("rule", "grant.circle"), ("grant", "circle"), ("category", "letter"), ("position", "7")} <= details
    assert agent(found, "IRCP")["policy"] == [f"urn:uuid:{event.grant_id}"]
    assert agent(found, "PROV")["who"]["reference"] == f"Organization/{DOCTOR.organization_id}"


def test_refusal_has_reason_and_no_profile():
    found = audit_event(entry_of(RecordRead(allowed=False, reason="no-grant", rule="no-grant")), BASE)
    assert check(orjson.dumps(found)).issues == ()
    assert (found["outcome"], found["outcomeDesc"]) == ("4", "You have not given access.")
    assert "meta" not in found


def test_access_to_several_documents_has_no_profile():
    found = audit_event(entry_of(RecordRead(documents=(DOCUMENT, OTHER_DOCUMENT))), BASE)
    assert "meta" not in found
    assert len(entities(found, "2")) == 2


def test_emergency_has_override_subtype():
    event = EmergencyDeclared(purpose="ETREAT", justification="Unconscious after a fall", grant_id=uuid7())
    found = audit_event(entry_of(event), BASE)
    assert check(orjson.dumps(found)).issues == ()
    assert found["subtype"][0]["code"] == "110127"
    assert found["purposeOfEvent"][0]["coding"][0]["code"] == "ETREAT"
