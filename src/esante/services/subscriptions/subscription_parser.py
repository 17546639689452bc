"""What a Subscription resource asks for, or why it cannot be had.

Source: Subscriptions R5 Backport 1.1 (R4), "Topic-Based Subscription Components" and its profile of Subscription.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

from esante.core.fhir.rest import parse_token
from esante.core.web import N_, Problem
from esante.services.subscriptions.model import Content, Endpoint, Resource, Status, Wish
from esante.services.subscriptions.policy import Policy
from esante.services.subscriptions.topics import TOPICS, Topic

GUIDE = "http://hl7.org/fhir/uv/subscriptions-backport"
_EXTENSION = f"{GUIDE}/StructureDefinition"
FILTER, CONTENT = f"{_EXTENSION}/backport-filter-criteria", f"{_EXTENSION}/backport-payload-content"
CHANNEL_TYPE = f"{_EXTENSION}/backport-channel-type"
HEARTBEAT = f"{_EXTENSION}/backport-heartbeat-period"
MAX_COUNT, TIMEOUT = f"{_EXTENSION}/backport-max-count", f"{_EXTENSION}/backport-timeout"

_KEPT = ("contact", "reason", "criteria", "_criteria", "channel")
_NOT_UNDERSTOOD = ("modifierExtension", "implicitRules", "contained")
_PAYLOAD = re.compile(r"application/fhir\+json(; ?fhirVersion=4\.0)?")
_FILTER = re.compile(r"(?:([A-Za-z]+)([?.]))?(\S+)")
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
_HEADER_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|[0-9a-f:.]+")
_URL = re.compile(r"[!-~]+")

Filters = dict[str, list[list[tuple[str | None, str]]]]


def wish_of(given: Resource, base_url: str, only: UUID | None, terms: Policy) -> Wish:
    """What a Subscription that holds to R4 asks for; Problem 422 for what is not to be had.

    `only`: the one person about whom the asker can ask, and then has to (a patient: herself).
    """
    for name in _NOT_UNDERSTOOD:
        if name in given:
            raise _bad(name, N_("This element cannot be understood here."), N_("Leave it out."), "not-supported")
    topic = TOPICS.get(given.get("criteria", ""))
    if topic is None:
        raise _bad("criteria", N_("There is no such topic."), N_("Use one of:"), "not-supported", detail=_topics())
    channel = given["channel"]
    patient_id, filters = _filters(given, topic, base_url, terms)
    if only is not None and patient_id != only:
        title, remedy = N_("You can ask about your own record only."), N_("Add the filter patient with your own id.")
        raise _bad("criteria.extension", title, remedy, "required" if patient_id is None else "forbidden")
    _check_channel(channel)
    return Wish(
        status=_status(given),
        topic=topic.url,
        patient_id=patient_id,
        filters=filters,
        content=_content(channel),
        payload=_payload(channel),
        endpoint=endpoint_of(channel.get("endpoint", ""), terms),
        headers=tuple(_headers(channel.get("header", ()), terms)),
        max_count=_number(channel, MAX_COUNT, "valuePositiveInt"),
        timeout=_number(channel, TIMEOUT, "valueUnsignedInt"),
        end=_end(given),
        resource=_kept(given),
    )


def _status(given: Resource) -> Status:
    if "status" not in given:
        raise _bad("status", N_("The status is missing."), N_("Send requested."), "required")
    return Status(given["status"])


def _topics() -> str:
    return ", ".join(TOPICS)


def _kept(given: Resource) -> Resource:
    """What is shown again of a resource: without the headers, and without what the server says itself."""
    kept = {name: given[name] for name in _KEPT if name in given}
    kept["channel"] = {name: value for name, value in given["channel"].items() if name not in ("header", "_header")}
    return kept


# Filters


def _filters(given: Resource, topic: Topic, base_url: str, terms: Policy) -> tuple[UUID | None, Filters]:
    """The person that the filters name, and all others by name."""
    texts = list(_extensions(given.get("_criteria"), FILTER, "valueString"))
    if len(texts) > terms.filters:
        raise _bad("criteria.extension", N_("These are too many filters."), N_("Send fewer."), "too-long")
    patients: set[UUID] = set()
    filters: Filters = {}
    for index, text in texts:
        place = f"criteria.extension[{index}].value"
        for name, value in _pairs(text, topic, place):
            if name == "patient":
                patients.add(_patient(value, base_url, place))
            else:
                filters.setdefault(name, []).append(_tokens(topic, name, value, place, terms))
    if len(patients) > 1:
        raise _bad("criteria.extension", N_("A subscription is about one patient, or about all."), _ONE, "value")
    return (patients.pop() if patients else None), filters


_ONE = N_("Make a subscription for each patient.")
_FORM = N_("Write it as DocumentReference?name=value, with a filter of the topic.")


def _pairs(text: str, topic: Topic, place: str) -> Iterator[tuple[str, str]]:
    match = _FILTER.fullmatch(text)
    if match is None or match[1] not in (None, topic.resource):
        raise _bad(place, N_("This is not a filter of the topic."), _FORM, "value", detail=text[:64])
    parts = match[3].split("&") if match[2] != "." else [match[3]]
    for part in parts:
        name, sign, value = part.partition("=")
        if name not in ("patient", *topic.filters) or not sign or not value:
            raise _bad(place, N_("This is not a filter of the topic."), _FORM, "not-supported", detail=part[:64])
        yield name, unquote(value)


def _patient(value: str, base_url: str, place: str) -> UUID:
    """The person's key. Whether there is such a person is not looked up, and so not told."""
    try:
        return UUID(value.removeprefix(f"{base_url}/").removeprefix("Patient/"))
    except ValueError:
        raise _bad(place, N_("This is not the id of a patient."), N_("Write it as Patient/ID."), "value") from None


def _tokens(topic: Topic, name: str, value: str, place: str, terms: Policy) -> list[tuple[str | None, str]]:
    tokens = [parse_token(part) for part in value.split(",")]
    if len(tokens) > terms.filter_values:
        raise _bad(place, N_("These are too many values."), N_("Send fewer."), "too-long")
    known = topic.filters[name]
    for system, code in tokens:
        if system not in (None, known.system) or not known.known(code):
            remedy = N_("Use a code that documents here can have.")
            raise _bad(
                place, N_("Nothing can have this code."), remedy, "code-invalid", detail=f"{system}|{code}"[:64]
            )
    return tokens


# The channel


def _check_channel(channel: Resource) -> None:
    if channel.get("type") != "rest-hook" or _extension(channel.get("_type"), CHANNEL_TYPE) is not None:
        raise _bad("channel.type", N_("This kind of channel is not supported."), N_("Use rest-hook."), "not-supported")
    if _extension(channel, HEARTBEAT) is not None:
        title, remedy = N_("Heartbeats are not sent."), N_("Leave it out, and ask $status from time to time.")
        raise _bad("channel.extension", title, remedy, "not-supported")


def _payload(channel: Resource) -> str:
    payload: str = channel.get("payload", "")
    if not _PAYLOAD.fullmatch(payload):
        title, remedy = N_("This payload cannot be sent."), N_("Use application/fhir+json.")
        raise _bad("channel.payload", title, remedy, "not-supported" if payload else "required")
    return payload


def _content(channel: Resource) -> Content:
    found = (_extension(channel.get("_payload"), CONTENT) or {}).get("valueCode")
    if found == "full-resource":
        title = N_("Notifications carry no resources.")
        remedy = N_("Use id-only, and fetch the resource with your own token: that is decided and journalled.")
        raise _bad("channel.payload.extension", title, remedy, "not-supported")
    if found not in set(Content):
        title, remedy = N_("How much a notification tells is missing."), N_("Say empty or id-only (payload content).")
        raise _bad("channel.payload.extension", title, remedy, "required")
    return Content(found)


def endpoint_of(url: str, terms: Policy) -> Endpoint:
    """The parts of an endpoint's address; Problem 422 for one that cannot be spoken to, wherever it leads."""
    remedy = N_("Send an https address, without a user or a fragment, at port 443 or from 1024 on.")
    problem = _bad("channel.endpoint", N_("This address cannot be notified."), remedy, "value")
    if len(url) > terms.endpoint_characters or not _URL.fullmatch(url) or "\\" in url:
        raise problem
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise problem from None
    host, scheme = (parts.hostname or "").rstrip("."), parts.scheme
    if scheme not in ("https", "http") or not _HOST.fullmatch(host) or "@" in parts.netloc or "#" in url:
        raise problem
    port = port if port is not None else 443 if scheme == "https" else 80
    if port not in terms.ports and port < 1024:
        raise problem
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Endpoint(url=url, scheme=scheme, host=host, port=port, target=target)


def _headers(given: Iterable[str | None], terms: Policy) -> Iterator[tuple[str, str]]:
    for index, text in enumerate(given):
        place = f"channel.header[{index}]"
        text = text or ""
        name, _, value = text.partition(":")
        if index >= terms.headers or len(text) > terms.header_characters:
            raise _bad(place, N_("These headers are too many or too long."), N_("Send less."), "too-long")
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value.strip()):
            raise _bad(place, N_("This is not a header."), N_("Write it as Name: value, in ASCII."), "value")
        small = name.lower()
        if not _any(small, terms.allowed_headers) or _any(small, terms.refused_headers):
            remedy = N_("Use Authorization, or a name of your own that begins with X-.")
            raise _bad(place, N_("This header is not sent along."), remedy, "not-supported")
        yield name, value.strip()


def _any(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _end(given: Resource) -> datetime | None:
    if "end" not in given:
        return None
    try:
        return datetime.fromisoformat(given["end"])
    except ValueError:
        raise _bad("end", N_("This moment does not exist."), N_("Send another end."), "value") from None


# Extensions


def _extensions(element: Any, url: str, name: str) -> Iterator[tuple[int, str]]:
    """The string values of the extensions with an address, with their places."""
    for index, found in enumerate((element or {}).get("extension", ())):
        if found.get("url") == url:
            yield index, str(found.get(name, ""))


def _extension(element: Any, url: str) -> Resource | None:
    return next((found for found in (element or {}).get("extension", ()) if found.get("url") == url), None)


def _number(channel: Resource, url: str, name: str) -> int | None:
    """A number that limits something, at least 1; None where it is not given."""
    found = (_extension(channel, url) or {}).get(name)
    return max(1, found) if isinstance(found, int) else None


def _bad(place: str, title: str, remedy: str, code: str, *, detail: str = "") -> Problem:
    return Problem(422, code, title, place=f"Subscription.{place}", remedy=remedy, detail=detail)
