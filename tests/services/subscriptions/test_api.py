"""Subscription over HTTP: what is accepted, what is refused and why, and that clients reach only their own."""

import json
import random
from datetime import UTC, datetime, timedelta

import httpx
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esante.core.fhir import check
from esante.core.storage import uuid7
from esante.identity.access import requester_of
from tests.support.subscriptions import DOCUMENTS, FHIR, GUIDE, body, resource

URL = "http://127.0.0.1:9999/hook"


def issue(answer: httpx.Response) -> tuple[str, str, str]:
    """Code, place and words of the first issue of a refusal, which is R4."""
    assert check(answer.content, expect="OperationOutcome").issues == ()
    [first, *_] = answer.json()["issue"]
    return first["code"], "".join(first.get("expression", [])), first["diagnostics"]


async def test_created_subscription_is_read_without_its_headers(platform):
    laboratory = platform.people["laboratory"]
    created = await platform.subscribe(laboratory, URL, "type=51852-2", header=["Authorization: Bearer t0psecret"])
    async with platform.client(laboratory) as http:
        answer = await http.get(f"/fhir/Subscription/{created['id']}")
        found = await http.get("/fhir/Subscription", params={"url": URL, "status": "requested", "criteria": DOCUMENTS})
        other = await http.get("/fhir/Subscription", params={"url": "https://example.org/"})
    assert answer.json() == created
    assert answer.headers["etag"] == 'W/"1"'
    assert check(answer.content, expect="Subscription", invariants=True).ok
    assert (created["criteria"], created["reason"]) == (DOCUMENTS, "Letters for the ward")
    assert created["_criteria"]["extension"][0]["valueString"] == "type=51852-2"
    assert created["meta"]["profile"] == [f"{GUIDE}/backport-subscription"]
    assert created["id"] in {entry["resource"]["id"] for entry in found.json()["entry"]}
    assert other.json()["total"] == 0
    for text in (answer.text, found.text, orjson.dumps(created).decode()):
        assert "t0psecret" not in text
    kept = await platform.world.db.fetch("SELECT content FROM journal_entry")
    assert b"t0psecret" not in b"".join(row["content"] for row in kept)


async def test_subscription_of_another_client_is_not_found(platform):
    hospital = await platform.world.organization("hospital", "Two clients")
    mine = await platform.register_software(f"a-{uuid7().hex[-8:]}", hospital.id)
    same_house = await platform.register_software(f"b-{uuid7().hex[-8:]}", hospital.id)
    person = await platform.world.person()
    created = await platform.subscribe(mine, URL)
    own = await platform.subscribe(requester_of(person), URL, f"patient={person.id}")
    others = [same_house, requester_of(hospital), platform.people["doctor"], platform.people["laboratory"]]
    others.append(requester_of(await platform.world.person()))
    nothing = uuid7()
    for other in others:
        async with platform.client(other) as http:
            for one in (created, own):
                for method, path in (
                    ("GET", ""),
                    ("PUT", ""),
                    ("DELETE", ""),
                    ("GET", "/$status"),
                    ("GET", "/$events"),
                ):
                    content = orjson.dumps(one | {"status": "off"}) if method == "PUT" else None
                    url = f"/fhir/Subscription/{one['id']}{path}"
                    answer = await http.request(method, url, content=content, headers=FHIR)
                    absent = await http.request(
                        method, url.replace(one["id"], str(nothing)), content=content, headers=FHIR
                    )
                    assert answer.status_code == 404
                    assert (answer.text, answer.headers) == (absent.text, absent.headers)
            listed = (await http.get("/fhir/Subscription")).json()
            statuses = (await http.get("/fhir/Subscription/$status", params={"id": created["id"]})).json()
        assert created["id"] not in orjson.dumps(listed).decode()
        assert statuses["total"] == 0
    assert await platform.read(mine, created) == created


@pytest.mark.parametrize(
    ("changes", "code", "place"),
    [
        ({"criteria": "https://example.org/topic"}, "not-supported", "criteria"),
        ({"criteria": "Observation?code=1"}, "not-supported", "criteria"),
        ({"status": "off"}, "value", "status"),
        ({"status": "error"}, "value", "status"),
        ({"end": "2020-01-01T00:00:00Z"}, "value", "end"),
        ({"content": "full-resource"}, "not-supported", "channel.payload.extension"),
        ({"content": "everything"}, "required", "channel.payload.extension"),
        ({"modifierExtension": [{"url": "http://example.org/x", "valueBoolean": True}]}, "not-supported", "modifier"),
        ({"header": ["Host: internal"]}, "not-supported", "channel.header[0]"),
        ({"header": ["X-Ok: 1", "Cookie: a=b"]}, "not-supported", "channel.header[1]"),
        ({"header": ["X-Forwarded-For: 127.0.0.1"]}, "not-supported", "channel.header[0]"),
        ({"header": ["no header"]}, "value", "channel.header[0]"),
        ({"header": ["X-Ünïcode: 1"]}, "value", "channel.header[0]"),
        ({"header": ["X-Long: " + "a" * 3_000]}, "too-long", "channel.header[0]"),
        ({"header": [f"X-{n}: 1" for n in range(9)]}, "too-long", "channel.header[8]"),
        ({"filters": ["status=current"]}, "not-supported", "criteria.extension[0].value"),
        ({"filters": ["patient.name=Weber"]}, "value", "criteria.extension[0].value"),
        ({"filters": ["Observation?patient=1"]}, "value", "criteria.extension[0].value"),
        ({"filters": ["patient:identifier=1"]}, "not-supported", "criteria.extension[0].value"),
        ({"filters": ["patient=Patient/123"]}, "value", "criteria.extension[0].value"),
        ({"filters": [f"patient={uuid7()}", f"patient={uuid7()}"]}, "value", "criteria.extension"),
        ({"filters": ["type=12345-6"]}, "code-invalid", "criteria.extension[0].value"),
        ({"filters": ["type=http://example.org|51852-2"]}, "code-invalid", "criteria.extension[0].value"),
        ({"filters": ["category="]}, "not-supported", "criteria.extension[0].value"),
        ({"filters": ["a b"]}, "value", "criteria.extension[0].value"),
        ({"filters": ["type=51852-2"] * 9}, "too-long", "criteria.extension"),
        ({"filters": ["type=" + ",".join(["51852-2"] * 51)]}, "too-long", "criteria.extension[0].value"),
    ],
)
async def test_unsupported_subscription_is_refused_with_place_and_remedy(platform, changes, code, place):
    changes = dict(changes)
    filters = changes.pop("filters", [])
    async with platform.client(platform.people["hospital"]) as http:
        answer = await http.post("/fhir/Subscription", content=body(URL, *filters, **changes), headers=FHIR)
    assert answer.status_code == 422
    found, where, words = issue(answer)
    assert (found, where.startswith(f"Subscription.{place}")) == (code, True), (where, words)
    assert len(words.split(". ")) > 1 or words.count(".") > 1  # what is wrong, and what to do


@pytest.mark.parametrize(
    ("channel", "place"),
    [
        ({"type": "websocket"}, "channel.type"),
        ({"type": "email", "endpoint": "mailto:a@example.org"}, "channel.type"),
        ({"_type": {"extension": [{"url": f"{GUIDE}/backport-channel-type", "valueCoding": {"code": "x"}}]}}, "channel.type"),
        ({"payload": "application/xml"}, "channel.payload"),
        ({"payload": "application/fhir+json; fhirVersion=4.3"}, "channel.payload"),
        ({"payload": None}, "channel.payload"),
        ({"_payload": None}, "channel.payload.extension"),
        ({"extension": [{"url": f"{GUIDE}/backport-heartbeat-period", "valueUnsignedInt": 60}]}, "channel.extension"),
        ({"endpoint": None}, "channel.endpoint"),
    ],
)  # fmt: skip
async def test_unsupported_channel_is_refused_with_its_place(platform, channel, place):
    given = resource(URL)
    given["channel"] = {name: v for name, v in (given["channel"] | channel).items() if v is not None}
    async with platform.client(platform.people["hospital"]) as http:
        answer = await http.post("/fhir/Subscription", content=orjson.dumps(given), headers=FHIR)
    assert answer.status_code == 422
    assert issue(answer)[1] == f"Subscription.{place}"


async def test_payload_with_fhir_version_is_sent_as_requested(platform, receiver):
    given = resource(receiver.url)
    given["channel"]["payload"] = "application/fhir+json; fhirVersion=4.0"
    async with platform.client(platform.people["laboratory"]) as http:
        assert (await http.post("/fhir/Subscription", content=orjson.dumps(given), headers=FHIR)).status_code == 201
    await platform.deliver()
    assert receiver.requests[0].headers["content-type"] == "application/fhir+json; fhirVersion=4.0"


async def test_patient_can_subscribe_to_own_record_only(platform):
    person, other = await platform.world.person(), await platform.world.person()
    patient = requester_of(person)
    async with platform.client(patient) as http:
        for filters, code in (([], "required"), ([f"patient={other.id}"], "forbidden")):
            answer = await http.post("/fhir/Subscription", content=body(URL, *filters), headers=FHIR)
            assert (answer.status_code, issue(answer)[0]) == (422, code)
    assert await platform.subscribe(
        patient, URL, f"DocumentReference?patient=http://esante.test/fhir/Patient/{person.id}"
    )


@pytest.mark.parametrize(
    "scopes",
    ["system/Subscription.rs", "system/Subscription.cruds", "system/DocumentReference.rs", "system/Subscription.c system/DocumentReference.r"],
)  # fmt: skip
async def test_scopes_for_subscription_and_topic_are_required(platform, scopes):
    async with platform.client(platform.people["hospital"], scopes) as http:
        answer = await http.post("/fhir/Subscription", content=body(URL), headers=FHIR)
        assert (answer.status_code, issue(answer)[0]) == (403, "forbidden")


async def test_operator_and_unauthenticated_client_cannot_subscribe(platform):
    async with platform.client(platform.people["operator"]) as http:
        assert (await http.post("/fhir/Subscription", content=body(URL), headers=FHIR)).status_code == 403
        http.headers["Authorization"] = "Bearer nonsense"
        assert (await http.post("/fhir/Subscription", content=body(URL), headers=FHIR)).status_code == 401
        assert (await http.get("/fhir/Subscription")).status_code == 401


async def test_subscriptions_of_one_client_are_limited(platform):
    small = platform.with_policy(subscriptions_per_client=2)
    clinic = await platform.world.organization("hospital", "Small")
    software = await platform.register_software(f"s-{uuid7().hex[-8:]}", clinic.id)
    created = [await small.subscribe(software, URL) for _ in range(2)]
    async with small.client(software) as http:
        refused = await http.post("/fhir/Subscription", content=body(URL), headers=FHIR)
        assert refused.status_code == 403
        await http.delete(f"/fhir/Subscription/{created[0]['id']}")
        assert (await http.post("/fhir/Subscription", content=body(URL), headers=FHIR)).status_code == 201


async def test_subscription_turned_on_again_starts_with_a_handshake(platform, receiver):
    person = await platform.world.person()
    clinic = await platform.world.organization("hospital", "On and off")
    software = platform.people["clinic"] = await platform.register_software(f"o-{uuid7().hex[-8:]}", clinic.id)
    created = await platform.subscribe(software, receiver.url, header=["X-Key: one"])
    await platform.deliver()
    off = (await platform.put(software, created, status="off")).json()
    assert (off["status"], off["meta"]["versionId"]) == ("off", "3")
    await platform.deposit(person, by="clinic")
    await platform.deliver()
    on = (await platform.put(software, off, status="active")).json()
    assert on["status"] == "requested"
    await platform.deliver()
    await platform.deposit(person, by="clinic")
    await platform.deliver()
    kinds = [request.status["type"] for request in receiver.requests]
    assert kinds == ["handshake", "handshake", "event-notification"]
    assert receiver.event_numbers == [1]  # what happened meanwhile is no event
    assert {request.headers["x-key"] for request in receiver.requests} == {"one"}


async def test_update_changes_end_reason_and_headers_only(platform, receiver):
    laboratory = platform.people["laboratory"]
    created = await platform.subscribe(laboratory, receiver.url, header=["X-Key: one"])
    await platform.deliver()
    now = await platform.read(laboratory, created)
    end = (datetime.now(UTC) + timedelta(days=3)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    renewed = now | {"end": end, "reason": "Other words", "channel": now["channel"] | {"header": ["X-Key: two"]}}
    answer = await platform.put(laboratory, renewed)
    assert (answer.status_code, answer.json()["end"], answer.json()["reason"]) == (200, end, "Other words")
    assert answer.json()["status"] == "active"
    assert "two" not in answer.text
    for changes, place in (
        ({"criteria": DOCUMENTS, "_criteria": resource("", "type=51852-2")["_criteria"]}, "criteria"),
        ({"channel": now["channel"] | {"endpoint": "http://127.0.0.1:9998/"}}, "channel"),
    ):
        refused = await platform.put(laboratory, now, **changes)
        assert (refused.status_code, issue(refused)[1]) == (422, f"Subscription.{place}")
    assert (await platform.put(laboratory, now, status="error")).status_code == 422
    async with platform.client(laboratory) as http:
        url = f"/fhir/Subscription/{created['id']}"
        stale = await http.put(url, content=orjson.dumps(now), headers=FHIR | {"If-Match": 'W/"1"'})
        fresh = await http.put(url, content=orjson.dumps(now), headers=FHIR | {"If-Match": answer.headers["etag"]})
        another = await http.put(url, content=orjson.dumps(now | {"id": str(uuid7())}), headers=FHIR)
    assert (stale.status_code, fresh.status_code, another.status_code) == (412, 200, 422)


async def test_status_operation_of_one_and_of_all(platform, receiver):
    clinic = await platform.world.organization("hospital", "Status")
    software = platform.people["clinic"] = await platform.register_software(f"st-{uuid7().hex[-8:]}", clinic.id)
    created = [await platform.subscribe(software, receiver.url) for _ in range(2)]
    await platform.deliver()
    await platform.put(software, await platform.read(software, created[1]), status="off")
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "status", "valueCode": "off"}]}
    async with platform.client(software) as http:
        base = "/fhir/Subscription"
        one = await http.get(f"{base}/{created[0]['id']}/$status")
        everything = await http.get(f"{base}/$status")
        chosen = await http.get(f"{base}/$status", params={"id": f"{created[0]['id']},nonsense"})
        off = await http.post(f"{base}/$status", content=orjson.dumps(parameters), headers=FHIR)
        empty = await http.post(f"{base}/$status")
        wrong = await http.post(f"{base}/$status", content=b"{}", headers=FHIR)
    answers = (one, everything, chosen, off, empty)
    assert [answer.json()["total"] for answer in answers] == [1, 2, 1, 1, 2]
    for answer in answers:
        assert check(answer.content, expect="Bundle", invariants=True).issues == ()
    values = {p["name"]: p for p in one.json()["entry"][0]["resource"]["parameter"]}
    assert values["type"]["valueCode"] == "query-status"
    assert values["status"]["valueCode"] == "active"
    assert values["topic"]["valueCanonical"] == DOCUMENTS
    assert wrong.status_code == 422


async def test_events_operation_returns_events_by_number(platform, receiver):
    person = await platform.world.person()
    clinic = await platform.world.organization("hospital", "Events")
    software = platform.people["clinic"] = await platform.register_software(f"e-{uuid7().hex[-8:]}", clinic.id)
    created = await platform.subscribe(software, receiver.url)
    await platform.deliver()
    documents = []
    for count in (3, 2):
        documents += [await platform.deposit(person, by="clinic") for _ in range(count)]
        await platform.match_events()
        if count == 3:
            await platform.subscriptions.worker.run_until_idle()

    async def numbers(**params):
        answer = await platform.events(software, created, **params)
        parts = [p for p in answer["entry"][0]["resource"]["parameter"] if p["name"] == "notification-event"]
        return [int(part["part"][0]["valueString"]) for part in parts]

    assert await numbers(eventsSinceNumber=2, eventsUntilNumber=3) == [2, 3]
    assert await numbers(eventsSinceNumber=3) == [3, 4, 5]  # those too that are still on their way
    assert await numbers() == [1, 2, 3, 4, 5]
    assert await numbers(eventsSinceNumber=9) == []
    answer = await platform.events(software, created, content="empty")
    assert len(answer["entry"]) == 1
    assert check(orjson.dumps(await platform.events(software, created)), invariants=True).issues == ()
    await platform.deliver()
    assert receiver.event_numbers == [1, 2, 3, 4, 5]
    async with platform.client(software) as http:
        url = f"/fhir/Subscription/{created['id']}/$events"
        for params in ({"eventsSinceNumber": "-1"}, {"eventsSinceNumber": "1e9"}, {"content": "full-resource"},
                      {"eventsUntilNumber": "9" * 30}):  # fmt: skip
            assert (await http.get(url, params=params)).status_code == 400
    narrow = "system/Subscription.rs"
    async with platform.client(software, narrow) as http:
        assert (await http.get(url)).status_code == 403


async def test_deleted_subscription_is_not_found(platform):
    laboratory = platform.people["laboratory"]
    created = await platform.subscribe(laboratory, URL)
    async with platform.client(laboratory) as http:
        url = f"/fhir/Subscription/{created['id']}"
        assert [(await http.delete(url)).status_code for _ in range(2)] == [204, 404]
        assert (await http.get(url)).status_code == 404
        for strange in ("nonsense", created["id"].upper(), created["id"].replace("-", ""), "%00", "a" * 300):
            assert (await http.get(f"/fhir/Subscription/{strange}")).status_code == 404


HOSTILE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=12), children, max_size=3),
    max_leaves=8,
)


def _places(value, path=()):
    """Every place in a resource."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield from _places(child, (*path, key))


def _with(value, path, new):
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _with(copy[path[0]], path[1:], new)
    return copy


FULL = resource(
    URL,
    "type=51852-2",
    header=["X-Key: 1"],
    end="2026-12-31T23:59:59Z",
    contact=[{"system": "phone", "value": "+352 1", "extension": [{"url": "http://x", "valueDecimal": 1.50}]}],
)

PLACES = sorted(_places(FULL), key=repr)


@pytest.fixture(scope="module")
async def hostile(platform):
    """A client that sends what it likes."""
    async with platform.client(platform.people["other"]) as http:
        yield http


@settings(max_examples=150)
@given(st.sampled_from(PLACES), HOSTILE, st.randoms(use_true_random=False))
async def test_arbitrary_subscription_is_created_or_refused(hostile, place, value, chance: random.Random):
    content = json.dumps(_with(FULL, place, value)).encode("utf-8", "surrogatepass")
    if chance.random() < 0.1:
        content = content[: chance.randrange(len(content) + 1)]
    answer = await hostile.post("/fhir/Subscription", content=content, headers=FHIR)
    assert answer.status_code in (201, 422), (content, answer.text)
    if answer.status_code == 201:
        assert (await hostile.get("/fhir/Subscription")).json()["total"] == 1
        assert (await hostile.delete(f"/fhir/Subscription/{answer.json()['id']}")).status_code == 204


async def test_stored_decimals_keep_their_digits(platform):
    async with platform.client(platform.people["hospital"]) as http:
        sent = body(URL, contact=[{"system": "phone", "value": "1"}])
        sent = sent.replace(b'"value":"1"', b'"value":"1","extension":[{"url":"http://x","valueDecimal":1.50}]')
        answer = await http.post("/fhir/Subscription", content=sent, headers=FHIR)
        again = await http.get(f"/fhir/Subscription/{answer.json()['id']}")
    assert answer.status_code == 201
    assert b'"valueDecimal":1.50' in answer.content
    assert answer.content == again.content
