"""The terms of delivery (data/policy.toml)."""

import tomllib
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib.resources import files
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """See data/policy.toml for what each means."""

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
    refused_networks: tuple[Network, ...]
    keep_events: timedelta
    keep_error: timedelta
    keep_off: timedelta


@cache
def policy() -> Policy:
    """The terms of the platform."""
    return load((files("esante.services.subscriptions") / "data" / "policy.toml").read_text(encoding="utf-8"))


def load(text: str) -> Policy:
    """The terms in a policy file; raises KeyError or ValueError when something is missing or wrong."""
    given = tomllib.loads(text)
    delivery, limits, keep = given["delivery"], given["limits"], given["keep"]
    found = Policy(
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
        allowed_headers=tuple(given["headers"]["allowed"]),
        refused_headers=tuple(given["headers"]["refused"]),
        ports=frozenset(given["endpoints"]["ports"]),
        refused_networks=networks(" ".join(given["endpoints"]["refused_networks"])),
        keep_events=timedelta(days=keep["events_days"]),
        keep_error=timedelta(days=keep["error_days"]),
        keep_off=timedelta(days=keep["off_days"]),
    )
    if found.lease <= found.timeout:
        raise ValueError("policy: a lease must last longer than an attempt")
    return found


def networks(text: str) -> tuple[Network, ...]:
    """Networks in CIDR notation, with spaces between; ValueError for anything else."""
    return tuple(ip_network(part) for part in text.split())


def _seconds(part: dict[str, Any], name: str) -> timedelta:
    return timedelta(seconds=part[f"{name}_seconds"])
