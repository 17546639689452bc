"""Subscriptions, their status and their notifications as FHIR R4 resources of the Subscriptions R5 Backport 1.1."""

from collections.abc import Sequence
from datetime import UTC, datetime

from esante.core.storage import uuid7
from esante.services.subscriptions.failure_reasons import in_english
from esante.services.subscriptions.model import Content, Resource, Subscription, TopicEvent
from esante.services.subscriptions.subscription_parser import GUIDE
from esante.services.subscriptions.topics import TOPICS

INSTANTIATES = f"{GUIDE}/CapabilityStatement/backport-subscription-server-r4"
_PROFILE = f"{GUIDE}/StructureDefinition"
PARAMETERS = {"_id": "token", "criteria": "string", "status": "token", "url": "uri"}


def subscription_resource(subscription: Subscription) -> Resource:
    """A subscription as its owner sees it; the headers that are sent along are never shown."""
    wish = subscription.wish
    resource: Resource = {
        "resourceType": "Subscription",
        "id": str(subscription.id),
        "meta": {
            "versionId": str(subscription.version),
            "lastUpdated": instant(subscription.changed_at),
            "profile": [f"{_PROFILE}/backport-subscription"],
        },
        "status": subscription.status.value,
        **{name: value for name, value in wish.resource.items() if name != "channel"},
        "end": instant(subscription.ends_at),
        "channel": wish.resource["channel"],
    }
    if error := in_english(subscription.error):
        resource["error"] = error
    return resource


def status_parameters(
    subscription: Subscription, base_url: str, type_: str, events: Sequence[TopicEvent] = (), *, content: Content
) -> Resource:
    """The status of a subscription, and what is told of `events`: at least their numbers."""
    parameters: list[Resource] = [
        {"name": "subscription", "valueReference": {"reference": f"{base_url}/Subscription/{subscription.id}"}},
        {"name": "status", "valueCode": subscription.status.value},
        {"name": "type", "valueCode": type_},
        {"name": "events-since-subscription-start", "valueString": str(subscription.events)},
    ]
    if content is not Content.EMPTY:
        parameters.insert(1, {"name": "topic", "valueCanonical": subscription.wish.topic})
    for event in events:
        parts: list[Resource] = [
            {"name": "event-number", "valueString": str(event.number)},
            {"name": "timestamp", "valueInstant": instant(event.at)},
        ]
        if content is not Content.EMPTY:
            parts.append({"name": "focus", "valueReference": {"reference": f"{base_url}/{event.focus.reference}"}})
        parameters.append({"name": "notification-event", "part": parts})
    if error := in_english(subscription.error):
        parameters.append({"name": "error", "valueCodeableConcept": {"text": error}})
    return {
        "resourceType": "Parameters",
        "id": str(uuid7()),
        "meta": {"profile": [f"{_PROFILE}/backport-subscription-status-r4"]},
        "parameter": parameters,
    }


def notification(
    subscription: Subscription, base_url: str, type_: str, events: Sequence[TopicEvent] = (), *, content: Content
) -> Resource:
    """A notification: the status first, then (but not with empty content) where each thing is to be fetched.

    Every thing is offered by GET: whether it was made, changed or shown again is not told.
    """
    status = status_parameters(subscription, base_url, type_, events, content=content)
    entries: list[Resource] = [
        {
            "fullUrl": f"urn:uuid:{status['id']}",
            "resource": status,
            "request": {"method": "GET", "url": f"{base_url}/Subscription/{subscription.id}/$status"},
            "response": {"status": "200"},
        }
    ]
    if content is not Content.EMPTY:
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
        "timestamp": instant(datetime.now(UTC)),
        "entry": entries,
    }


def capability() -> Resource:
    """What this room adds to CapabilityStatement.rest.resource, with its topics."""
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
        "searchParam": [{"name": name, "type": kind} for name, kind in PARAMETERS.items()],
        "operation": [
            {"name": name, "definition": f"{GUIDE}/OperationDefinition/backport-subscription-{name}"}
            for name in ("status", "events")
        ],
    }


def instant(at: datetime) -> str:
    """A moment as a FHIR instant."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
