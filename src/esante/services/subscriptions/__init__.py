"""Subscriptions: FHIR R4 notifications to software of what happens in records that it may see."""

from esante.services.subscriptions.api import routes as api_routes
from esante.services.subscriptions.model import (
    DeadLetter,
    DeadLetterSettled,
    DeliveryFailed,
    EventsNotified,
    Subscription,
    SubscriptionEnded,
    SubscriptionRequested,
    SubscriptionStatus,
)
from esante.services.subscriptions.pages import routes as page_routes
from esante.services.subscriptions.policy import SubscriptionPolicy, subscription_policy
from esante.services.subscriptions.resources import INSTANTIATES, capability
from esante.services.subscriptions.service import Subscriptions
from esante.services.subscriptions.topics import TOPICS, register_topics

__all__ = [
    "INSTANTIATES",
    "TOPICS",
    "DeadLetter",
    "DeadLetterSettled",
    "DeliveryFailed",
    "EventsNotified",
    "Subscription",
    "SubscriptionEnded",
    "SubscriptionPolicy",
    "SubscriptionRequested",
    "SubscriptionStatus",
    "Subscriptions",
    "api_routes",
    "capability",
    "page_routes",
    "register_topics",
    "subscription_policy",
]
