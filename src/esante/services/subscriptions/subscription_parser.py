"""Parse a Subscription resource, and refuse what is not supported.

Source: Subscriptions R5 Backport 1.1 (R4), "Topic-Based Subscription Components" and its profile of Subscription.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

from esante.contract import Topic
from esante.core.fhir.rest import parse_token
from esante.core.types import Json
from esante.core.web import N_, Problem, bad_request
from esante.services.subscriptions.model import Endpoint, PayloadContent, SubscriptionRequest, SubscriptionStatus
from esante.services.subscriptions.policy import SubscriptionPolicy
from esante.services.subscriptions.topics import TOPICS

GUIDE = "http://hl7.org/fhir/uv/subscriptions-backport"
_EXTENSION = f"{GUIDE}/StructureDefinition"
FILTER, PAYLOAD_CONTENT = f"{_EXTENSION}/backport-filter-criteria", f"{_EXTENSION}/backport-payload-content"
CHANNEL_TYPE = f"{_EXTENSION}/backport-channel-type"
HEARTBEAT = f"{_EXTENSION}/backport-heartbeat-period"
MAX_COUNT, TIMEOUT = f"{_EXTENSION}/backport-max-count", f"{_EXTENSION}/backport-timeout"

_STORED_ELEMENTS = ("contact", "reason", "criteria", "_criteria", "channel")
_REFUSED_ELEMENTS = ("modifierExtension", "implicitRules", "contained")
_PAYLOAD = re.compile(r"application/fhir\+json(; ?fhirVersion=4\.0)?")
_FILTER = re.compile(r"(?:([A-Za-z]+)([?.]))?(\S+)")
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
_HEADER_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|[0-9a-f:.]+")
_URL = re.compile(r"[!-~]+")

Filters = dict[str, list[list[tuple[str | None, str]]]]


def parse_subscription(
    given: Json, base_url: str, own_id: UUID | None, policy: SubscriptionPolicy
) -> SubscriptionRequest:
    """Parse a Subscription that conforms to R4.

    `own_id`: for a patient their own id, the only person about whom they can subscribe, and must; None for others.

    Raises: `Problem` 422 for what is not supported or allowed.
    """
    for name in _REFUSED_ELEMENTS:
        if name in given:
            raise _invalid(name, N_("This element is not supported."), N_("Leave it out."), "not-supported")
    topic = TOPICS.get(given.get("criteria", ""))
    if topic is None:
        raise _invalid(
            "criteria", N_("This topic does not exist."), N_("Use one of these:"), "not-supported", detail=_topics()
        )
    channel = given["channel"]
    patient_id, filters = _parse_filters(given, topic, base_url, policy)
    if own_id is not None and patient_id != own_id:
        title, remedy = (
            N_("You can only subscribe to your own record."),
            N_("Add the patient filter with your own id."),
        )
        raise _invalid("criteria.extension", title, remedy, "required" if patient_id is None else "forbidden")
    _check_channel(channel)
    return SubscriptionRequest(
        status=_parse_status(given),
        topic=topic.url,
        patient_id=patient_id,
        filters=filters,
        content=_parse_content(channel),
        payload=_parse_payload(channel),
        endpoint=parse_endpoint(channel.get("endpoint", ""), policy),
        headers=tuple(_parse_headers(channel.get("header", ()), policy)),
        max_count=_parse_limit(channel, MAX_COUNT, "valuePositiveInt"),
        timeout=_parse_limit(channel, TIMEOUT, "valueUnsignedInt"),
        end=_parse_end(given),
        resource=_stored_elements(given),
    )


def _parse_status(given: Json) -> SubscriptionStatus:
    if "status" not in given:
        raise _invalid("status", N_("The status is missing."), N_("Use the status requested."), "required")
    return SubscriptionStatus(given["status"])


def _topics() -> str:
    return ", ".join(TOPICS)


def _stored_elements(given: Json) -> Json:
    """Return the elements that are shown again: without the headers, and without those that the server sets."""
    stored = {name: given[name] for name in _STORED_ELEMENTS if name in given}
    stored["channel"] = {name: value for name, value in given["channel"].items() if name not in ("header", "_header")}
    return stored


# Filters


def _parse_filters(
    given: Json, topic: Topic, base_url: str, policy: SubscriptionPolicy
) -> tuple[UUID | None, Filters]:
    """Return the person that the filters name (None: no filter patient), and all other filters by name."""
    texts = list(_extensions(given.get("_criteria"), FILTER, "valueString"))
    if len(texts) > policy.filters:
        raise _invalid("criteria.extension", N_("There are too many filters."), N_("Send fewer."), "too-long")
    patients: set[UUID] = set()
    filters: Filters = {}
    for index, text in texts:
        place = f"criteria.extension[{index}].value"
        for name, value in _filter_pairs(text, topic, place):
            if name == "patient":
                patients.add(_parse_patient(value, base_url, place))
            else:
                filters.setdefault(name, []).append(_parse_tokens(topic, name, value, place, policy))
    if len(patients) > 1:
        raise _invalid(
            "criteria.extension", N_("A subscription must be about one patient or about all patients."), _ONE, "value"
        )
    return (patients.pop() if patients else None), filters


_ONE = N_("Create one subscription for each patient.")
_FORM = N_("Use the format DocumentReference?name=value, with a filter for this topic.")


def _filter_pairs(text: str, topic: Topic, place: str) -> Iterator[tuple[str, str]]:
    """Yield the names and values of a filter."""
    match = _FILTER.fullmatch(text)
    if match is None or match[1] not in (None, topic.resource):
        raise _invalid(place, N_("This is not a filter for this topic."), _FORM, "value", detail=text[:64])
    parts = match[3].split("&") if match[2] != "." else [match[3]]
    for part in parts:
        name, sign, value = part.partition("=")
        if name not in ("patient", *topic.filters) or not sign or not value:
            raise _invalid(place, N_("This is not a filter for this topic."), _FORM, "not-supported", detail=part[:64])
        yield name, unquote(value)


def _parse_patient(value: str, base_url: str, place: str) -> UUID:
    """Return the person's id. Whether the person exists is not looked up, and so not revealed."""
    try:
        return UUID(value.removeprefix(f"{base_url}/").removeprefix("Patient/"))
    except ValueError:
        raise _invalid(place, N_("This is not a patient id."), N_("Use the format Patient/ID."), "value") from None


def _parse_tokens(
    topic: Topic, name: str, value: str, place: str, policy: SubscriptionPolicy
) -> list[tuple[str | None, str]]:
    tokens = [parse_token(part) for part in value.split(",")]
    if len(tokens) > policy.filter_values:
        raise _invalid(place, N_("There are too many values."), N_("Send fewer."), "too-long")
    known = topic.filters[name]
    for system, code in tokens:
        if system not in (None, known.system) or not known.known(code):
            remedy = N_("Use a code that is accepted for documents here.")
            raise _invalid(
                place, N_("This code is not possible here."), remedy, "code-invalid", detail=f"{system}|{code}"[:64]
            )
    return tokens


# The channel


def _check_channel(channel: Json) -> None:
    if channel.get("type") != "rest-hook" or _extension(channel.get("_type"), CHANNEL_TYPE) is not None:
        raise _invalid(
            "channel.type", N_("This kind of channel is not supported."), N_("Use rest-hook."), "not-supported"
        )
    if _extension(channel, HEARTBEAT) is not None:
        title, remedy = (
            N_("Heartbeat messages are not supported."),
            N_("Leave this out and use $status to check from time to time."),
        )
        raise _invalid("channel.extension", title, remedy, "not-supported")


def _parse_payload(channel: Json) -> str:
    payload: str = channel.get("payload", "")
    if not _PAYLOAD.fullmatch(payload):
        title, remedy = N_("This payload type is not supported."), N_("Use application/fhir+json.")
        raise _invalid("channel.payload", title, remedy, "not-supported" if payload else "required")
    return payload


def _parse_content(channel: Json) -> PayloadContent:
    found = (_extension(channel.get("_payload"), PAYLOAD_CONTENT) or {}).get("valueCode")
    if found == "full-resource":
        title = N_("Notifications cannot contain resources.")
        remedy = N_("Use id-only and fetch the resource with your own token. Access is then checked and logged.")
        raise _invalid("channel.payload.extension", title, remedy, "not-supported")
    if found not in set(PayloadContent):
        title, remedy = (
            N_("The payload content of the notification is missing."),
            N_("Use empty or id-only (payload content)."),
        )
        raise _invalid("channel.payload.extension", title, remedy, "required")
    return PayloadContent(found)


def parse_endpoint(url: str, policy: SubscriptionPolicy) -> Endpoint:
    """Parse the URL of an endpoint; its host is not looked up.

    Raises: `Problem` 422 for a URL that no notification can be sent to.
    """
    remedy = N_("Use an https address without a user name or fragment, on port 443 or a port from 1024.")
    problem = _invalid("channel.endpoint", N_("We cannot send notifications to this address."), remedy, "value")
    if len(url) > policy.endpoint_characters or not _URL.fullmatch(url) or "\\" in url:
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
    if port not in policy.ports and port < 1024:
        raise problem
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Endpoint(url=url, scheme=scheme, host=host, port=port, target=target)


def _parse_headers(given: Iterable[str | None], policy: SubscriptionPolicy) -> Iterator[tuple[str, str]]:
    for index, text in enumerate(given):
        place = f"channel.header[{index}]"
        text = text or ""
        name, _, value = text.partition(":")
        if index >= policy.headers or len(text) > policy.header_characters:
            raise _invalid(
                place,
                N_("There are too many headers, or they are too long."),
                N_("Reduce the number or length."),
                "too-long",
            )
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value.strip()):
            raise _invalid(
                place, N_("This is not a valid header."), N_("Use the format Name: value, in ASCII."), "value"
            )
        lower = name.lower()
        if not _matches_any(lower, policy.allowed_headers) or _matches_any(lower, policy.refused_headers):
            remedy = N_("Use Authorization, or a name that starts with X-.")
            raise _invalid(place, N_("This header cannot be sent with notifications."), remedy, "not-supported")
        yield name, value.strip()


def _matches_any(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _parse_end(given: Json) -> datetime | None:
    if "end" not in given:
        return None
    try:
        return datetime.fromisoformat(given["end"])
    except ValueError:
        raise _invalid(
            "end", N_("This date and time does not exist."), N_("Use another end date and time."), "value"
        ) from None


# Extensions


def _extensions(element: Any, url: str, name: str) -> Iterator[tuple[int, str]]:
    """Yield the index and the value (element `name`, as text) of each extension with a URL."""
    for index, found in enumerate((element or {}).get("extension", ())):
        if found.get("url") == url:
            yield index, str(found.get(name, ""))


def _extension(element: Any, url: str) -> Json | None:
    return next((found for found in (element or {}).get("extension", ()) if found.get("url") == url), None)


def _parse_limit(channel: Json, url: str, name: str) -> int | None:
    """Return the number in an extension, at least 1; None where there is none."""
    found = (_extension(channel, url) or {}).get(name)
    return max(1, found) if isinstance(found, int) else None


def _invalid(element: str, title: str, remedy: str, code: str, *, detail: str = "") -> Problem:
    """Return the refusal of an element of the Subscription."""
    return bad_request(f"Subscription.{element}", title, remedy, status=422, code=code, detail=detail)
