"""The limits and times of subscriptions and their delivery (data/policy.toml)."""

import tomllib
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from esante.core.dated_data import packaged_text


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionPolicy:
    """The values of data/policy.toml, which explains each."""

    attempts: int
    first_wait: timedelta
    longest_wait: timedelta
    timeout: timedelta
    lease: timedelta
    batch: int
    at_once: int
    at_once_per_endpoint: int
    subscriptions_per_client: int
    headers: int
    header_characters: int
    filters: int
    filter_values: int
    endpoint_characters: int
    lifetime: timedelta
    waiting: int
    page: int
    allowed_headers: tuple[str, ...]
    refused_headers: tuple[str, ...]
    ports: frozenset[int]
    keep_events: timedelta
    keep_error: timedelta
    keep_off: timedelta


@cache
def subscription_policy() -> SubscriptionPolicy:
    """Return the policy of the platform."""
    return parse_policy(packaged_text("esante.services.subscriptions", "policy.toml"))


def parse_policy(text: str) -> SubscriptionPolicy:
    """Parse a policy file. Raises: KeyError, TypeError or ValueError when a value is missing or wrong."""
    tables = tomllib.loads(text)
    delivery, limits, keep = tables["delivery"], tables["limits"], tables["keep"]
    policy = SubscriptionPolicy(
        attempts=delivery["attempts"],
        first_wait=_seconds(delivery, "first_wait"),
        longest_wait=_seconds(delivery, "longest_wait"),
        timeout=_seconds(delivery, "timeout"),
        lease=_seconds(delivery, "lease"),
        batch=delivery["batch"],
        at_once=delivery["at_once"],
        at_once_per_endpoint=delivery["at_once_per_endpoint"],
        lifetime=timedelta(days=limits.pop("lifetime_days")),
        **limits,
        allowed_headers=tuple(tables["headers"]["allowed"]),
        refused_headers=tuple(tables["headers"]["refused"]),
        ports=frozenset(tables["endpoints"]["ports"]),
        keep_events=timedelta(days=keep["events_days"]),
        keep_error=timedelta(days=keep["error_days"]),
        keep_off=timedelta(days=keep["off_days"]),
    )
    if policy.lease <= policy.timeout:
        raise ValueError("policy.toml: lease_seconds must be greater than timeout_seconds")
    return policy


def _seconds(table: dict[str, Any], name: str) -> timedelta:
    return timedelta(seconds=table[f"{name}_seconds"])
