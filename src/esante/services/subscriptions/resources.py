"""FHIR R4 resources of the Subscriptions R5 Backport 1.1: Subscription, its status, notifications."""

from collections.abc import Sequence
from datetime import UTC, datetime

from esante.core import clock
from esante.core.storage import uuid7
from esante.core.types import Json
from esante.services.subscriptions.failure_reasons import error_in_english
from esante.services.subscriptions.model import PayloadContent, Subscription, TopicEvent
from esante.services.subscriptions.subscription_parser import GUIDE
from esante.services.subscriptions.topics import TOPICS

INSTANTIATES = f"{GUIDE}/CapabilityStatement/backport-subscription-server-r4"
_PROFILE = f"{GUIDE}/StructureDefinition"
SEARCH_PARAMS = {"_id": "token", "criteria": "string", "status": "token", "url": "uri"}


def subscription_resource(subscription: Subscription) -> Json:
    """Return a subscription as its owner reads it; the headers of its notifications are never shown."""
    request = subscription.request
    resource: Json = {
        "resourceType": "Subscription",
        "id": str(subscription.id),
        "meta": {
            "versionId": str(subscription.version),
            "lastUpdated": fhir_instant(subscription.changed_at),
            "profile": [f"{_PROFILE}/backport-subscription"],
        },
        "status": subscription.status.value,
        **{name: value for name, value in request.resource.items() if name != "channel"},
        "end": fhir_instant(subscription.ends_at),
        "channel": request.resource["channel"],
    }
    if error := error_in_english(subscription.error):
        resource["error"] = error
    return resource


def status_parameters(
    subscription: Subscription,
    base_url: str,
    type_: str,
    events: Sequence[TopicEvent] = (),
    *,
    content: PayloadContent,
) -> Json:
    """Return the status of a subscription (Parameters), with the numbers and times of `events`.

    With content other than empty also the topic, and the reference of each event's focus.
    """
    parameters: list[Json] = [
        {"name": "subscription", "valueReference": {"reference": f"{base_url}/Subscription/{subscription.id}"}},
        {"name": "status", "valueCode": subscription.status.value},
        {"name": "type", "valueCode": type_},
        {"name": "events-since-subscription-start", "valueString": str(subscription.events)},
    ]
    if content is not PayloadContent.EMPTY:
        parameters.insert(1, {"name": "topic", "valueCanonical": subscription.request.topic})
    for event in events:
        parts: list[Json] = [
            {"name": "event-number", "valueString": str(event.number)},
            {"name": "timestamp", "valueInstant": fhir_instant(event.at)},
        ]
        if content is not PayloadContent.EMPTY:
            parts.append({"name": "focus", "valueReference": {"reference": f"{base_url}/{event.focus.reference}"}})
        parameters.append({"name": "notification-event", "part": parts})
    if error := error_in_english(subscription.error):
        parameters.append({"name": "error", "valueCodeableConcept": {"text": error}})
    return {
        "resourceType": "Parameters",
        "id": str(uuid7()),
        "meta": {"profile": [f"{_PROFILE}/backport-subscription-status-r4"]},
        "parameter": parameters,
    }


def notification(
    subscription: Subscription,
    base_url: str,
    type_: str,
    events: Sequence[TopicEvent] = (),
    *,
    content: PayloadContent,
) -> Json:
    """Return a notification Bundle: the status, then (unless the content is empty) the address of each resource.

    Each address is a GET request: a notification does not reveal whether a resource is new, changed, or was hidden.
    """
    status = status_parameters(subscription, base_url, type_, events, content=content)
    entries: list[Json] = [
        {
            "fullUrl": f"urn:uuid:{status['id']}",
            "resource": status,
            "request": {"method": "GET", "url": f"{base_url}/Subscription/{subscription.id}/$status"},
            "response": {"status": "200"},
        }
    ]
    if content is not PayloadContent.EMPTY:
        entries += [
            {
                "fullUrl": f"{base_url}/{reference}",
                "request": {"method": "GET", "url": reference},
                "response": {"status": "200"},
            }
            for reference in dict.fromkeys(event.focus.reference for event in events)
        ]
    return {
        "resourceType": "Bundle",
        "id": str(uuid7()),
        "meta": {"profile": [f"{_PROFILE}/backport-subscription-notification-r4"]},
        "type": "history",
        "timestamp": fhir_instant(clock.now()),
        "entry": entries,
    }


def capability() -> Json:
    """Return the entry of this service in CapabilityStatement.rest.resource, with its topics."""
    topics = "; ".join(
        f"{topic.url} ({topic.description} Filters: patient, {', '.join(topic.filters)})" for topic in TOPICS.values()
    )
    return {
        "type": "Subscription",
        "extension": [
            {"url": f"{_PROFILE}/capabilitystatement-subscriptiontopic-canonical", "valueCanonical": url}
            for url in TOPICS
        ],
        "supportedProfile": [f"{_PROFILE}/backport-subscription"],
        "documentation": "One's own subscriptions to topics, by rest-hook, with empty or id-only content. Of an"
        f" update, status (off, requested), end, reason, contact and headers count. Topics: {topics}.",
        "interaction": [{"code": code} for code in ("create", "read", "update", "delete", "search-type")],
        "versioning": "versioned",
        "searchParam": [{"name": name, "type": kind} for name, kind in SEARCH_PARAMS.items()],
        "operation": [
            {"name": name, "definition": f"{GUIDE}/OperationDefinition/backport-subscription-{name}"}
            for name in ("status", "events")
        ],
    }


def fhir_instant(at: datetime) -> str:
    """Return a time as a FHIR instant in UTC."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
