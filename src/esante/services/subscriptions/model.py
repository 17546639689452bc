"""The types of subscriptions: who is told of what, where, and how far the telling is; and its journal events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from esante.contract import Focus
from esante.core.journal import Event, event
from esante.core.web import N_
from esante.identity.access import AccessEvent, Requester

Resource = dict[str, Any]


class Status(StrEnum):
    """The life of a subscription (FHIR subscription-status)."""

    REQUESTED = "requested"
    """The endpoint has not answered a handshake yet."""
    ACTIVE = "active"
    ERROR = "error"
    """A delivery failed for good: nothing is sent until the subscriber asks again."""
    OFF = "off"


class Content(StrEnum):
    """How much of an event a notification tells (the guide's payload content)."""

    EMPTY = "empty"
    ID_ONLY = "id-only"


class State(StrEnum):
    """What became of an event."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given-up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where notifications go: the parts of an http or https address; `host` in lower case, `target` path and query."""

    url: str
    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> str:
        """The address without path and query, which may hold secrets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == _PORTS[self.scheme] else f":{self.port}")


_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a Subscription resource asks for.

    `patient_id`: the only person it is about. `filters`: of each name, lists of tokens (system, code), of each list
    one must fit; system None: any. `headers` are sent along, and shown nowhere. `max_count` and `timeout` (seconds):
    as far as the subscriber limits them. `resource`: what else stands there.
    """

    status: Status
    topic: str
    patient_id: UUID | None
    filters: Mapping[str, list[list[tuple[str | None, str]]]]
    content: Content
    payload: str
    endpoint: Endpoint
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    max_count: int | None = None
    timeout: int | None = None
    end: datetime | None = None
    resource: Resource = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A subscription: what was asked for, by whom, and how far it is.

    `since`: events from then on are told. `events`: how many were told, which is the number of the last. `failures`:
    of the delivery that is tried, since the last that succeeded. `told_at`: when a notification was last delivered.
    """

    id: UUID
    owner: Requester
    wish: Wish
    status: Status
    error: str
    version: int
    since: datetime
    changed_at: datetime
    ends_at: datetime
    events: int = 0
    failures: int = 0
    told_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicEvent:
    """An event of a subscription: what happened to `focus` at a moment, in the order of `place`.

    `number` is None until it is told, or about to be; `told`: the journal knows. `waiting`: it is still to be
    delivered.
    """

    place: int
    focus: Focus
    at: datetime
    number: int | None = None
    told: bool = False
    waiting: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A delivery that failed for good: of the `count` events up to place `upto`; of none, it was a handshake."""

    id: UUID
    subscription: Subscription
    upto: int
    count: int
    oldest: datetime | None
    attempts: int
    error: str
    failed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The state of the queue: events that wait, since when the oldest does, and subscriptions by status."""

    waiting: int
    oldest: datetime | None
    letters: int
    by_status: Mapping[Status, int]


class SubscriptionEvent(AccessEvent, frozen=True, kw_only=True):
    """Base of what is told of a subscription; filed under the person whom it is about, else under nobody."""

    ACTION: ClassVar[str] = "E"
    RESOURCE: ClassVar[str] = "Subscription"

    subscription_id: UUID


@event("subscriptions.requested")
class Requested(SubscriptionEvent, frozen=True, kw_only=True):
    """Somebody asked to be told of what happens: by a new subscription, or by one that was off or in error."""

    WORDS: ClassVar[str] = N_("%(actor)s asked to be told of what happens in your record.")

    topic: str
    endpoint: str
    """Without path and query."""
    ends_at: datetime


@event("subscriptions.ended")
class Ended(SubscriptionEvent, frozen=True, kw_only=True):
    """A subscription ended; `cause`: off or removed by its owner, expired, too-old (in error for too long),
    too-many (events that wait), or not-allowed (its owner, or the software, may no longer ask)."""

    WORDS: ClassVar[str] = N_("%(actor)s ended a subscription to what happens in your record.")

    cause: str


@event("subscriptions.told")
class Told(SubscriptionEvent, frozen=True, kw_only=True):
    """Somebody was told that documents came in or were changed: by a notification that is sent after this entry, or
    because he asked for the events of his subscription. What is in them he was not told."""

    ACTION: ClassVar[str] = "R"
    RESOURCE: ClassVar[str] = "DocumentReference"
    WORDS: ClassVar[str] = N_("%(actor)s was told that a document came in or was changed: %(categories)s.")

    endpoint: str = ""


@event("subscriptions.failed")
class Failed(Event, frozen=True, kw_only=True):
    """A delivery failed for good, after so many attempts; the subscription is in error."""

    subscription_id: UUID
    attempts: int
    error: str


@event("subscriptions.letter_settled")
class LetterSettled(Event, frozen=True, kw_only=True):
    """An operator decided about a dead letter: `act` is retry or give-up, of `count` events."""

    subscription_id: UUID
    act: str
    count: int
