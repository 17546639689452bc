"""The kit of the shared record: the platform meets all of it, and each broken twin is told what is broken."""

from urllib.parse import parse_qs

import httpx
import orjson
import pytest

from esante.services.conformance.kits.catalogue import kits
from esante.services.conformance.kits.model import Verdict
from tests.support.broken_twins import Answer, Change, Twin, at, drop_header, set_field, set_status
from tests.support.kit_world import KitWorld, assert_only_fault, failed, not_passed

KIT = kits()["dsp"]


async def test_platform_meets_every_requirement(kit_world: KitWorld) -> None:
    run = await kit_world.run("dsp", kit_world.options)
    assert not_passed(run) == []
    assert run.passed and len(run.outcomes) == len(KIT.requirements) == 28


async def test_transcript_has_no_secret(kit_world: KitWorld) -> None:
    run = await kit_world.run("dsp", kit_world.options)
    text = str(run.outcomes)
    exchanges = [exchange for one in run.outcomes for exchange in one.exchanges]
    assert len(exchanges) > 28 and "client_assertion=" in text
    assert kit_world.options["token"] not in text and "eyJ" not in text


async def test_options_that_are_missing_do_not_count_as_faults(kit_world: KitWorld) -> None:
    options = {name: kit_world.options[name] for name in ("patient", "token")}
    run = await kit_world.run("dsp", options)
    skipped = {one.requirement for one in run.outcomes if one.verdict is Verdict.NOT_APPLICABLE}
    assert (skipped, failed(run)) == ({"DSP-06", "DSP-07", "DSP-08"}, [])


def _token_for_all(request: httpx.Request, answer: Answer) -> Answer | None:
    """Answer a refused assertion with a token; the first one was right."""
    body = orjson.dumps({"access_token": "x", "token_type": "bearer", "expires_in": 300})
    return Answer(200, answer.headers, body) if answer.status != 200 else None


def _only_forged(request: httpx.Request, answer: Answer) -> Answer | None:
    """Refuse a used assertion and take a forged one: only the latter comes before the former was sent twice."""
    form = parse_qs(request.content.decode())["client_assertion"][0]
    known = _SEEN.count(form)
    _SEEN.append(form)
    return _token_for_all(request, answer) if known == 0 else None


def _only_replayed(request: httpx.Request, answer: Answer) -> Answer | None:
    form = parse_qs(request.content.decode())["client_assertion"][0]
    known = _SEEN.count(form)
    _SEEN.append(form)
    return _token_for_all(request, answer) if known else None


_SEEN: list[str] = []


def _all_persons(request: httpx.Request, answer: Answer) -> Answer:
    """Find somebody for every identifier."""
    content = answer.json()
    if not content.get("entry"):
        content["entry"] = [{"resource": {"resourceType": "Patient", "id": "1"}, "search": {"mode": "match"}}]
    return answer.with_json(content)


def _without_interactions(_: httpx.Request, answer: Answer) -> Answer:
    content = answer.json()
    for one in content["rest"][0]["resource"]:
        one.pop("interaction", None)
    return answer.with_json(content)


def _without_size(_: httpx.Request, answer: Answer) -> Answer | None:
    content = answer.json()
    if content.get("resourceType") != "DocumentReference":
        return None
    del content["content"][0]["attachment"]["size"]
    return answer.with_json(content)


def _entered_in_error(_: httpx.Request, answer: Answer) -> Answer | None:
    content = answer.json()
    if content.get("status") != "current":
        return None
    content["status"] = "preliminary"
    return answer.with_json(content)


def _never_superseded(_: httpx.Request, answer: Answer) -> Answer | None:
    content = answer.json()
    if content.get("status") != "superseded":
        return None
    content["status"] = "current"
    return answer.with_json(content)


def _more_bytes(_: httpx.Request, answer: Answer) -> Answer:
    return Answer(answer.status, answer.headers, answer.body + b"\n")


def _no_entries(_: httpx.Request, answer: Answer) -> Answer:
    return set_field("entry", None)(_, answer)


def _without_next(_: httpx.Request, answer: Answer) -> Answer:
    content = answer.json()
    content["link"] = [one for one in content["link"] if one["relation"] != "next"]
    return answer.with_json(content)


def _one_entry_less(request: httpx.Request, answer: Answer) -> Answer | None:
    if request.method != "POST" or not answer.body:
        return None
    content = answer.json()
    if content.get("type") != "transaction-response":
        return None
    content["entry"] = content["entry"][:1]
    return answer.with_json(content)


def _titles_of_refused(twin: dict[str, str]) -> Change:
    """Return a change that shows the correct document of a refused transaction, as if it had been kept."""

    def apply(request: httpx.Request, answer: Answer) -> Answer | None:
        if request.method == "POST" and answer.status >= 400 and b'"transaction"' in request.content:
            for entry in orjson.loads(request.content)["entry"]:
                attachment = entry["resource"].get("content", [{}])[0]
                title = attachment.get("attachment", {}).get("title", "") if isinstance(attachment, dict) else ""
                if title.startswith("Tout ou rien"):
                    twin["title"] = title
        if request.method == "GET" and twin and "DocumentReference?" in str(request.url):
            content = answer.json()
            found = content.get("entry", [])
            if found:
                found[0]["resource"]["content"][0]["attachment"]["title"] = twin["title"]
            return answer.with_json(content)
        return None

    return apply


def _ignore_criteria(request: httpx.Request, answer: Answer) -> Answer | None:
    """Answer a search for superseded documents with those that were found before."""
    if "status=current" in str(request.url) and answer.json().get("entry"):
        _FOUND["bundle"] = answer.body
    if "status=superseded" in str(request.url):
        return Answer(answer.status, answer.headers, _FOUND["bundle"])
    return None


_FOUND: dict[str, bytes] = {}

TWINS: dict[str, Change] = {
    "DSP-01": at("GET", "/metadata", set_field("fhirVersion", "4.3.0")),
    "DSP-02": at("GET", "/metadata", _without_interactions),
    "DSP-03": at("GET", "smart-configuration", set_field("token_endpoint", None)),
    "DSP-04": lambda request, answer: (
        drop_header("www-authenticate")(request, answer) if "authorization" not in request.headers else None
    ),
    "DSP-05": lambda request, answer: (
        answer.with_status(403) if answer.status == 401 and "authorization" in request.headers else None
    ),
    "DSP-06": at("POST", "/oauth/token", set_field("expires_in", None)),
    "DSP-07": at("POST", "/oauth/token", _only_forged),
    "DSP-08": at("POST", "/oauth/token", _only_replayed),
    "DSP-09": at("GET", "Patient?identifier=urn:example", set_field("entry", None)),
    "DSP-10": at("GET", "Patient?identifier=urn:ietf", _all_persons),
    "DSP-11": lambda request, answer: drop_header("location")(request, answer) if answer.status == 201 else None,
    "DSP-12": at("GET", "/DocumentReference/", _entered_in_error),
    "DSP-13": at("GET", "/Binary/", _more_bytes),
    "DSP-14": at("GET", "/DocumentReference/", _without_size),
    "DSP-15": at("GET", "status=current&_count=50", _no_entries),
    "DSP-16": at("POST", "/_search", _no_entries),
    "DSP-17": at("GET", "DocumentReference?", _ignore_criteria),
    "DSP-18": at("GET", "_count=1", _without_next),
    "DSP-19": _one_entry_less,
    "DSP-20": at("GET", "/List?", _no_entries),
    "DSP-21": _titles_of_refused({}),
    "DSP-22": at("GET", "/DocumentReference/", _never_superseded),
    "DSP-23": lambda request, answer: (
        answer.with_status(500) if request.content == b'{"resourceType": ' else None
    ),
    "DSP-24": lambda request, answer: (
        answer.with_status(500) if b"resourceType" in request.content and b"subject" not in request.content
        and request.content != b'{"resourceType": ' else None
    ),
    "DSP-25": lambda request, answer: answer.with_status(403) if answer.status == 404 else None,
    "DSP-26": at("POST", "/DocumentReference", lambda _, a: a.with_status(400) if a.status == 415 else None),
    "DSP-27": at("GET", "unknown-parameter", set_status(200)),
    "DSP-28": at("GET", "_count=1", drop_header("cache-control")),
}  # fmt: skip


@pytest.mark.parametrize("broken", [one.id for one in KIT.requirements])
async def test_broken_twin_is_told_its_fault_and_no_other(kit_world: KitWorld, broken: str) -> None:
    assert_only_fault(await kit_world.run("dsp", kit_world.options, Twin(TWINS[broken])), broken)
