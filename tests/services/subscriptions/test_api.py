"""The FHIR face: what is taken, what is refused and why, and that everybody meets his own only."""

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
from esante.services.subscriptions import INSTANTIATES, TOPICS, capability

from .conftest import DOCUMENTS, FHIR, GUIDE, body, resource

URL = "http://127.0.0.1:9999/hook"


def issue(answer: httpx.Response) -> tuple[str, str, str]:
    """Code, place and words of the first issue of a refusal, which is R4."""
    assert check(answer.content, expect="OperationOutcome").issues == ()
    [first, *_] = answer.json()["issue"]
    return first["code"], "".join(first.get("expression", [])), first["diagnostics"]


async def test_what_was_asked_for_is_read_again_but_for_its_headers(country):
    laboratory = country.people["laboratory"]
    made = await country.subscribe(laboratory, URL, "type=51852-2", header=["Authorization: Bearer t0psecret"])
    async with country.client(laboratory) as http:
        answer = await http.get(f"/fhir/Subscription/{made['id']}")
        found = await http.get("/fhir/Subscription", params={"url": URL, "status": "requested", "criteria": DOCUMENTS})
        other = await http.get("/fhir/Subscription", params={"url": "https://example.org/"})
    assert answer.json() == made
    assert answer.headers["etag"] == 'W/"1"'
    assert check(answer.content, expect="Subscription", invariants=True).ok
    assert (made["criteria"], made["reason"]) == (DOCUMENTS, "Letters for the ward")
    assert made["_criteria"]["extension"][0]["valueString"] == "type=51852-2"
    assert made["meta"]["profile"] == [f"{GUIDE}/backport-subscription"]
    assert made["id"] in {entry["resource"]["id"] for entry in found.json()["entry"]}
    assert other.json()["total"] == 0
    for text in (answer.text, found.text, orjson.dumps(made).decode()):
        assert "t0psecret" not in text
    kept = await country.world.db.fetch("SELECT content FROM journal_entry")
    assert b"t0psecret" not in b"".join(row["content"] for row in kept)


async def test_nobody_meets_the_subscription_of_another(country):
    hospital = await country.world.organization("hospital", "Two clients")
    mine = await country.software(f"a-{uuid7().hex[-8:]}", hospital.id)
    same_house = await country.software(f"b-{uuid7().hex[-8:]}", hospital.id)
    person = await country.world.person()
    made = await country.subscribe(mine, URL)
    own = await country.subscribe(requester_of(person), URL, f"patient={person.id}")
    others = [same_house, requester_of(hospital), country.people["doctor"], country.people["laboratory"]]
    others.append(requester_of(await country.world.person()))
    nothing = uuid7()
    for other in others:
        async with country.client(other) as http:
            for one in (made, own):
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
            statuses = (await http.get("/fhir/Subscription/$status", params={"id": made["id"]})).json()
        assert made["id"] not in orjson.dumps(listed).decode()
        assert statuses["total"] == 0
    assert await country.read(mine, made) == made


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
async def test_what_cannot_be_had_is_refused_with_its_place_and_a_remedy(country, changes, code, place):
    changes = dict(changes)
    filters = changes.pop("filters", [])
    async with country.client(country.people["hospital"]) as http:
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
async def test_channels_of_another_kind(country, channel, place):
    given = resource(URL)
    given["channel"] = {name: v for name, v in (given["channel"] | channel).items() if v is not None}
    async with country.client(country.people["hospital"]) as http:
        answer = await http.post("/fhir/Subscription", content=orjson.dumps(given), headers=FHIR)
    assert answer.status_code == 422
    assert issue(answer)[1] == f"Subscription.{place}"


async def test_a_version_of_fhir_that_is_ours_is_sent_as_it_was_named(country, receiver):
    given = resource(receiver.url)
    given["channel"]["payload"] = "application/fhir+json; fhirVersion=4.0"
    async with country.client(country.people["laboratory"]) as http:
        assert (await http.post("/fhir/Subscription", content=orjson.dumps(given), headers=FHIR)).status_code == 201
    await country.delivered()
    assert receiver.requests[0].headers["content-type"] == "application/fhir+json; fhirVersion=4.0"


async def test_a_patient_asks_about_herself_only(country):
    person, other = await country.world.person(), await country.world.person()
    me = requester_of(person)
    async with country.client(me) as http:
        for filters, code in (([], "required"), ([f"patient={other.id}"], "forbidden")):
            answer = await http.post("/fhir/Subscription", content=body(URL, *filters), headers=FHIR)
            assert (answer.status_code, issue(answer)[0]) == (422, code)
    assert await country.subscribe(me, URL, f"DocumentReference?patient=http://esante.test/fhir/Patient/{person.id}")


@pytest.mark.parametrize(
    "scopes",
    ["system/Subscription.rs", "system/Subscription.cruds", "system/DocumentReference.rs", "system/Subscription.c system/DocumentReference.r"],
)  # fmt: skip
async def test_scopes_of_both_are_needed(country, scopes):
    async with country.client(country.people["hospital"], scopes) as http:
        answer = await http.post("/fhir/Subscription", content=body(URL), headers=FHIR)
        assert (answer.status_code, issue(answer)[0]) == (403, "forbidden")


async def test_operators_and_strangers_have_no_subscriptions(country):
    async with country.client(country.people["operator"]) as http:
        assert (await http.post("/fhir/Subscription", content=body(URL), headers=FHIR)).status_code == 403
        http.headers["Authorization"] = "Bearer nonsense"
        assert (await http.post("/fhir/Subscription", content=body(URL), headers=FHIR)).status_code == 401
        assert (await http.get("/fhir/Subscription")).status_code == 401


async def test_one_client_has_a_limited_number(country):
    small = country.with_terms(subscriptions_per_client=2)
    clinic = await country.world.organization("hospital", "Small")
    software = await country.software(f"s-{uuid7().hex[-8:]}", clinic.id)
    made = [await small.subscribe(software, URL) for _ in range(2)]
    async with small.client(software) as http:
        refused = await http.post("/fhir/Subscription", content=body(URL), headers=FHIR)
        assert refused.status_code == 403
        await http.delete(f"/fhir/Subscription/{made[0]['id']}")
        assert (await http.post("/fhir/Subscription", content=body(URL), headers=FHIR)).status_code == 201


async def test_off_and_on_again(country, receiver):
    person = await country.world.person()
    clinic = await country.world.organization("hospital", "On and off")
    software = country.people["clinic"] = await country.software(f"o-{uuid7().hex[-8:]}", clinic.id)
    made = await country.subscribe(software, receiver.url, header=["X-Key: one"])
    await country.delivered()
    off = (await country.put(software, made, status="off")).json()
    assert (off["status"], off["meta"]["versionId"]) == ("off", "3")
    await country.deposit(person, by="clinic")
    await country.delivered()
    on = (await country.put(software, off, status="active")).json()
    assert on["status"] == "requested"
    await country.delivered()
    await country.deposit(person, by="clinic")
    await country.delivered()
    kinds = [request.status["type"] for request in receiver.requests]
    assert kinds == ["handshake", "handshake", "event-notification"]
    assert receiver.taken == [1]  # what happened meanwhile is not told
    assert {request.headers["x-key"] for request in receiver.requests} == {"one"}


async def test_headers_and_end_can_be_changed_and_nothing_else(country, receiver):
    laboratory = country.people["laboratory"]
    made = await country.subscribe(laboratory, receiver.url, header=["X-Key: one"])
    await country.delivered()
    now = await country.read(laboratory, made)
    end = (datetime.now(UTC) + timedelta(days=3)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    renewed = now | {"end": end, "reason": "Other words", "channel": now["channel"] | {"header": ["X-Key: two"]}}
    answer = await country.put(laboratory, renewed)
    assert (answer.status_code, answer.json()["end"], answer.json()["reason"]) == (200, end, "Other words")
    assert answer.json()["status"] == "active"
    assert "two" not in answer.text
    for changes, place in (
        ({"criteria": DOCUMENTS, "_criteria": resource("", "type=51852-2")["_criteria"]}, "criteria"),
        ({"channel": now["channel"] | {"endpoint": "http://127.0.0.1:9998/"}}, "channel"),
    ):
        refused = await country.put(laboratory, now, **changes)
        assert (refused.status_code, issue(refused)[1]) == (422, f"Subscription.{place}")
    assert (await country.put(laboratory, now, status="error")).status_code == 422
    async with country.client(laboratory) as http:
        url = f"/fhir/Subscription/{made['id']}"
        stale = await http.put(url, content=orjson.dumps(now), headers=FHIR | {"If-Match": 'W/"1"'})
        fresh = await http.put(url, content=orjson.dumps(now), headers=FHIR | {"If-Match": answer.headers["etag"]})
        another = await http.put(url, content=orjson.dumps(now | {"id": str(uuid7())}), headers=FHIR)
    assert (stale.status_code, fresh.status_code, another.status_code) == (412, 200, 422)


async def test_status_of_one_and_of_all(country, receiver):
    clinic = await country.world.organization("hospital", "Status")
    software = country.people["clinic"] = await country.software(f"st-{uuid7().hex[-8:]}", clinic.id)
    made = [await country.subscribe(software, receiver.url) for _ in range(2)]
    await country.delivered()
    await country.put(software, await country.read(software, made[1]), status="off")
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "status", "valueCode": "off"}]}
    async with country.client(software) as http:
        base = "/fhir/Subscription"
        one = await http.get(f"{base}/{made[0]['id']}/$status")
        everything = await http.get(f"{base}/$status")
        chosen = await http.get(f"{base}/$status", params={"id": f"{made[0]['id']},nonsense"})
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


async def test_events_are_asked_for_by_their_numbers(country, receiver):
    person = await country.world.person()
    clinic = await country.world.organization("hospital", "Events")
    software = country.people["clinic"] = await country.software(f"e-{uuid7().hex[-8:]}", clinic.id)
    made = await country.subscribe(software, receiver.url)
    await country.delivered()
    documents = []
    for count in (3, 2):
        documents += [await country.deposit(person, by="clinic") for _ in range(count)]
        await country.matched()
        if count == 3:
            await country.subscriptions.worker.run_until_idle()

    async def numbers(**asked):
        answer = await country.events(software, made, **asked)
        parts = [p for p in answer["entry"][0]["resource"]["parameter"] if p["name"] == "notification-event"]
        return [int(part["part"][0]["valueString"]) for part in parts]

    assert await numbers(eventsSinceNumber=2, eventsUntilNumber=3) == [2, 3]
    assert await numbers(eventsSinceNumber=3) == [3, 4, 5]  # those too that are still on their way
    assert await numbers() == [1, 2, 3, 4, 5]
    assert await numbers(eventsSinceNumber=9) == []
    answer = await country.events(software, made, content="empty")
    assert len(answer["entry"]) == 1
    assert check(orjson.dumps(await country.events(software, made)), invariants=True).issues == ()
    await country.delivered()
    assert receiver.taken == [1, 2, 3, 4, 5]
    async with country.client(software) as http:
        url = f"/fhir/Subscription/{made['id']}/$events"
        for asked in ({"eventsSinceNumber": "-1"}, {"eventsSinceNumber": "1e9"}, {"content": "full-resource"},
                      {"eventsUntilNumber": "9" * 30}):  # fmt: skip
            assert (await http.get(url, params=asked)).status_code == 400
    narrow = "system/Subscription.rs"
    async with country.client(software, narrow) as http:
        assert (await http.get(url)).status_code == 403


async def test_deleted_is_gone(country):
    laboratory = country.people["laboratory"]
    made = await country.subscribe(laboratory, URL)
    async with country.client(laboratory) as http:
        url = f"/fhir/Subscription/{made['id']}"
        assert [(await http.delete(url)).status_code for _ in range(2)] == [204, 404]
        assert (await http.get(url)).status_code == 404
        for strange in ("nonsense", made["id"].upper(), made["id"].replace("-", ""), "%00", "a" * 300):
            assert (await http.get(f"/fhir/Subscription/{strange}")).status_code == 404


async def test_the_capability_statement_tells_the_topics():
    found = capability()
    told = [extension["valueCanonical"] for extension in found["extension"]]
    assert told == list(TOPICS)
    assert {operation["name"] for operation in found["operation"]} == {"status", "events"}
    statement = {
        "resourceType": "CapabilityStatement", "status": "active", "date": "2026-01-01", "kind": "instance",
        "instantiates": [INSTANTIATES], "fhirVersion": "4.0.1", "format": ["json"],
        "software": {"name": "x"}, "implementation": {"description": "x"},
        "rest": [{"mode": "server", "resource": [found]}],
    }  # fmt: skip
    assert check(orjson.dumps(statement), invariants=True).ok


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
async def hostile(country):
    """A client that sends what it likes."""
    async with country.client(country.people["other"]) as http:
        yield http


@settings(max_examples=150)
@given(st.sampled_from(PLACES), HOSTILE, st.randoms(use_true_random=False))
async def test_whatever_is_sent_is_answered_with_what_is_wrong(hostile, place, value, chance: random.Random):
    content = json.dumps(_with(FULL, place, value)).encode("utf-8", "surrogatepass")
    if chance.random() < 0.1:
        content = content[: chance.randrange(len(content) + 1)]
    answer = await hostile.post("/fhir/Subscription", content=content, headers=FHIR)
    assert answer.status_code in (201, 422), (content, answer.text)
    if answer.status_code == 201:
        assert (await hostile.get("/fhir/Subscription")).json()["total"] == 1
        assert (await hostile.delete(f"/fhir/Subscription/{answer.json()['id']}")).status_code == 204


async def test_decimals_in_what_is_kept_keep_their_digits(country):
    async with country.client(country.people["hospital"]) as http:
        sent = body(URL, contact=[{"system": "phone", "value": "1"}])
        sent = sent.replace(b'"value":"1"', b'"value":"1","extension":[{"url":"http://x","valueDecimal":1.50}]')
        answer = await http.post("/fhir/Subscription", content=sent, headers=FHIR)
        again = await http.get(f"/fhir/Subscription/{answer.json()['id']}")
    assert answer.status_code == 201
    assert b'"valueDecimal":1.50' in answer.content
    assert answer.content == again.content
