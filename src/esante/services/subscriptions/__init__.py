"""Subscriptions: software is told when something happens in records that it may see, by FHIR R4 notifications."""

from esante.services.subscriptions.api import routes as api_routes
from esante.services.subscriptions.model import (
    DeadLetter,
    Ended,
    Failed,
    LetterSettled,
    Requested,
    Status,
    Subscription,
    Told,
)
from esante.services.subscriptions.pages import routes as page_routes
from esante.services.subscriptions.policy import Policy, networks, policy
from esante.services.subscriptions.resources import INSTANTIATES, capability
from esante.services.subscriptions.service import Subscriptions
from esante.services.subscriptions.topics import TOPICS, register_topics

__all__ = [
    "INSTANTIATES",
    "TOPICS",
    "DeadLetter",
    "Ended",
    "Failed",
    "LetterSettled",
    "Policy",
    "Requested",
    "Status",
    "Subscription",
    "Subscriptions",
    "Told",
    "api_routes",
    "capability",
    "networks",
    "page_routes",
    "policy",
    "register_topics",
]
