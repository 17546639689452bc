"""Events of each kind to OCSF, with the original kept; hostile and broken ones."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.services.soc import NotNormalized, normalize


def ms(text):
    return int(datetime.fromisoformat(text).timestamp() * 1000)


SYSMON = {
    "Event": {
        "System": {
            "Provider": {"#attributes": {"Name": "Microsoft-Windows-Sysmon"}},
            "EventID": 1,
            "TimeCreated": {"#attributes": {"SystemTime": "2026-01-02T03:04:05.678901Z"}},
            "Channel": "Microsoft-Windows-Sysmon/Operational",
            "Computer": "pc-7.practice.test",
        },
        "EventData": {
            **{"ProcessId": 7760, "Image": "C:\\Windows\\cmd.exe", "CommandLine": "cmd /c dir", "User": "A\\b"},
            "ParentImage": "C:\\explorer.exe",
        },
    }
}


def test_windows_event_becomes_a_process_launch():
    event = normalize(json.dumps(SYSMON).encode())
    assert (event["class_uid"], event["activity_name"], event["type_uid"]) == (1007, "Launch", 100701)
    assert event["time"] == ms("2026-01-02T03:04:05.678+00:00")
    assert event["process"]["file"] == {"path": "C:\\Windows\\cmd.exe", "name": "cmd.exe"}
    assert event["actor"]["process"]["file"]["name"] == "explorer.exe"
    assert (event["process"]["cmd_line"], event["device"]["hostname"]) == ("cmd /c dir", "pc-7.practice.test")
    assert json.loads(event["raw_data"]) == SYSMON


@pytest.mark.parametrize(
    ("event_id", "class_uid", "activity_id", "status_id"),
    [(4624, 3002, 1, 1), (4625, 3002, 1, 2), (4720, 3001, 1, None), (4732, 3006, 3, None), (1102, 1008, 1, None)],
)
def test_audit_policy_event_has_its_class(event_id, class_uid, activity_id, status_id):
    flat = {"Channel": "Security", "EventID": event_id, "TargetUserName": "eva", "TimeCreated": "2026-01-02T03:04:05Z"}
    event = normalize(json.dumps(flat).encode())
    assert (event["class_uid"], event["activity_id"], event.get("status_id")) == (class_uid, activity_id, status_id)


def test_number_beyond_measure_is_left_out():
    flat = {"_path": "conn", "ts": "2026-01-02T03:04:05Z", "orig_bytes": "1e999", "resp_bytes": "7"}
    assert normalize(json.dumps(flat).encode())["traffic"] == {"bytes_in": 7}


def test_unknown_event_is_kept_as_base_event():
    original = {"message": "hello", "host": "pc", "nested": {"a": [1, 2]}, "time": "2026-01-02T03:04:05Z"}
    event = normalize(json.dumps(original).encode())
    assert (event["class_uid"], event["message"], event["device"]["hostname"]) == (0, "hello", "pc")
    assert event["unmapped"]["nested.a"] == [1, 2]
    assert event["time"] == ms("2026-01-02T03:04:05+00:00")
    assert json.loads(event["raw_data"]) == original


def test_syslog_header_and_structured_data_are_read():
    line = r'<35>1 2026-03-04T05:06:07.5Z fw.clinic.test sshd 411 ID7 [x@1 a="1" b="q\"\]"][y@1] failed login'
    event = normalize(line.encode())
    assert event["message"] == "failed login"
    assert event["severity_id"] == 4
    assert event["time"] == ms("2026-03-04T05:06:07.500+00:00")
    assert event["device"]["hostname"] == "fw.clinic.test"
    assert event["unmapped"]["structured_data"] == {"x@1": {"a": "1", "b": 'q"]'}, "y@1": {}}
    assert event["raw_data"] == line


def test_syslog_carries_an_audit_message(shared_data):
    xml = (shared_data / "atna" / "create-patient-record.xml").read_text("utf-8")
    event = normalize(f"<85>1 2026-03-04T05:06:07Z ehr app - IHE+RFC-3881 - \ufeff{xml}".encode())
    assert (event["class_uid"], event["device"]["hostname"]) == (6003, "ehr")


def test_line_of_a_firewall_in_syslog_is_mapped():
    text = "%ASA-4-106023: Deny tcp src outside:203.0.113.9/4711 dst inside:10.0.0.8/3389 by access-group x"
    event = normalize(f"<164>1 2026-03-04T05:06:07Z asa - - - - {text}".encode())
    assert (event["class_uid"], event["activity_id"], event["severity_id"]) == (4001, 5, 3)
    assert event["src_endpoint"]["ip"] == "203.0.113.9"
    assert (event["dst_endpoint"]["ip"], event["dst_endpoint"]["port"]) == ("10.0.0.8", 3389)


@pytest.mark.parametrize(
    ("name", "class_uid", "activity_id", "code", "source_ip"),
    [
        ("application-start", 6002, 3, "110120, 110100", "192.168.1.5"),
        ("create-patient-record", 6003, 1, "ITI-8, 110110", "192.168.1.5"),
        ("dicom", 6003, 1, "ITI-8, 110110", "192.168.1.5"),
        ("no-source", 6003, 1, "ITI-14, 110107", None),
        ("openncp/AuditTrail", 6003, 99, "epsos-1", "194.219.31.2"),
        ("openncp/smpqueryauditmessage", 6003, 99, "EHDSI-193, SMP", "10.200.137.161"),
    ],
)
def test_audit_message_with_either_spelling_of_codes(shared_data, name, class_uid, activity_id, code, source_ip):
    event = normalize((shared_data / "atna" / f"{name}.xml").read_bytes())
    assert (event["class_uid"], event["activity_id"], event["status_id"]) == (class_uid, activity_id, 1)
    assert event["metadata"]["event_code"] == code
    assert event.get("src_endpoint", {}).get("ip") == source_ip


def test_every_audit_message_of_the_inputs_is_read(shared_data):
    paths = [*shared_data.glob("atna/**/*.xml"), *shared_data.glob("ihe-epr/**/*log.xml")]
    assert len(paths) >= 10
    for path in paths:
        assert normalize(path.read_bytes())["metadata"]["event_code"]


def test_patient_of_an_audit_message_is_a_resource(shared_data):
    event = normalize((shared_data / "atna" / "create-patient-record.xml").read_bytes())
    (patient,) = event["resources"]
    assert (patient["uid"].split("^")[0], patient["name"], patient["type"]) == ("101", "John Doe", "1")


@pytest.mark.parametrize(("subtype", "activity_id"), [("110122", 1), ("110123", 2), ("110126", 99)])
def test_authentication_of_an_audit_message_is_logon_or_logoff(subtype, activity_id):
    xml = f"""<AuditMessage>
      <EventIdentification EventActionCode="E" EventDateTime="2026-03-04T05:06:07Z" EventOutcomeIndicator="8">
        <EventID csd-code="110114" originalText="User Authentication"/><EventTypeCode csd-code="{subtype}"/>
      </EventIdentification>
      <ActiveParticipant UserID="eva" UserIsRequestor="true" NetworkAccessPointID="pc-7"/>
      <AuditSourceIdentification AuditSourceID="idp"/></AuditMessage>"""
    event = normalize(xml.encode())
    assert (event["class_uid"], event["activity_id"], event["status_id"]) == (3002, activity_id, 2)
    assert event["user"]["uid"] == "eva"
    assert event["src_endpoint"] == {"hostname": "pc-7"}


AUDIT_EVENT = {
    "resourceType": "AuditEvent",
    "type": {"code": "rest", "display": "Restful Operation"},
    "subtype": [{"code": "read"}],
    "action": "R",
    "recorded": "2026-03-04T05:06:07Z",
    "outcome": "0",
    "agent": [
        {"type": {"coding": [{"code": "110153"}]}, "who": {"display": "app"}, "network": {"address": "192.0.2.7"}},
        {
            **{
                "type": {"coding": [{"code": "IRCP"}]},
                "who": {"identifier": {"value": "dr-7"}, "display": "Dr Seven"},
            },
            "requestor": True,
        },
        {"type": {"coding": [{"code": "110152"}]}, "who": {"display": "server"}, "network": {"address": "ehr.test"}},
    ],
    "source": {"observer": {"display": "ehr"}, "site": "clinic"},
    "entity": [{"what": {"reference": "Patient/9"}, "type": {"code": "1"}, "role": {"code": "1"}}],
}


def test_audit_event_of_fhir_is_an_access_with_actor_and_patient():
    event = normalize(json.dumps(AUDIT_EVENT).encode())
    assert (event["class_uid"], event["activity_name"], event["api"]["operation"]) == (6003, "Read", "read")
    assert event["actor"]["user"] == {"uid": "dr-7", "name": "Dr Seven"}
    assert (event["src_endpoint"], event["dst_endpoint"]) == ({"ip": "192.0.2.7"}, {"hostname": "ehr.test"})
    assert event["resources"] == [{"uid": "Patient/9", "type": "1", "role": "1"}]


AUDIT_MESSAGE = (
    b"<AuditMessage><EventIdentification EventDateTime='2026-03-04T05:06:07Z'><EventID code='110106'/>"
    b"</EventIdentification></AuditMessage>"
)


def test_shortest_audit_message_is_read():
    assert normalize(AUDIT_MESSAGE)["metadata"]["event_code"] == "110106"


OCSF = {
    **{"class_uid": 3002, "activity_id": 1, "severity_id": 1, "time": 1_700_000_000_000},
    "metadata": {"version": "1.3.0", "product": {"name": "x"}},
}


def test_event_in_ocsf_passes_as_it_is():
    assert normalize(json.dumps(OCSF).encode()) == {**OCSF, "type_uid": 300_201}


@pytest.mark.parametrize(
    "original",
    [
        json.dumps({**OCSF, "type_uid": 1}).encode(),
        json.dumps({**OCSF, "time": "now"}).encode(),
        json.dumps({**OCSF, "metadata": None}).encode(),
        json.dumps({**OCSF, "activity_id": True}).encode(),
        json.dumps({**AUDIT_EVENT, "recorded": ""}).encode(),
        json.dumps({**AUDIT_EVENT, "agent": ["x"]}).encode(),
        b"",
        b"  ",
        b"\xff\xfe",
        b"{",
        b'{"a":' * 2_000,
        b"<AuditMessage>",
        b"<Other/>",
        b"<AuditMessage/>",
        b"<AuditMessage><EventIdentification EventDateTime='soon'/></AuditMessage>",
        b"<!DOCTYPE x [<!ENTITY a 'b'>]><AuditMessage>&a;</AuditMessage>",
        b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'>" + AUDIT_MESSAGE,
        AUDIT_MESSAGE.replace(b"</Audit", b"<x>" + b"y" * (5 << 20) + b"</x></Audit"),
        b"x" * ((16 << 20) + 1),
    ],
)
def test_broken_event_is_refused_with_a_remedy(original):
    with pytest.raises(NotNormalized) as caught:
        normalize(original)
    assert caught.value.reason and caught.value.remedy


NAMES = st.sampled_from(
    [
        "Channel",
        "EventID",
        "Event",
        "System",
        "EventData",
        "time",
        "ts",
        "_path",
        "action",
        "resourceType",
        "class_uid",
        "metadata",
        "recorded",
        "agent",
    ]
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | NAMES, inner, max_size=5),
    max_leaves=20,
)


@given(
    st.dictionaries(NAMES | st.text(), JSON | st.sampled_from(["Security", 4624, "conn", "AuditEvent"]), max_size=6)
)
def test_any_json_object_is_normalized_or_refused(value):
    original = json.dumps(value).encode()
    try:
        event = normalize(original)
    except NotNormalized:
        return
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
    assert "class_uid" in value or event["raw_data"].encode() == original


@given(st.text(max_size=80))
def test_any_text_is_normalized_or_refused(text):
    try:
        event = normalize(text.encode())
    except NotNormalized:
        return
    assert text.strip().removeprefix("\ufeff").strip() == event.get("raw_data", text.strip())


def test_old_syslog_without_a_year_is_of_the_last_twelve_months():
    event = normalize(b"<13>Feb  3 04:05:06 host app[7]: text")
    found = datetime.fromtimestamp(event["time"] / 1000, UTC)
    assert (found.month, found.day, event["message"]) == (2, 3, "text")
    assert (datetime.now(UTC) - found).days <= 366
