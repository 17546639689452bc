"""Types of subscriptions (the request, its state, its events, dead letters), and the journal events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from esante.contract import Focus
from esante.core.journal import Event, event
from esante.core.types import Json
from esante.core.web import N_
from esante.identity.access import AccessEvent, Requester


class SubscriptionStatus(StrEnum):
    """The status of a subscription (FHIR subscription-status)."""

    REQUESTED = "requested"
    """The endpoint has not answered a handshake yet."""
    ACTIVE = "active"
    ERROR = "error"
    """A delivery failed for good: nothing is sent until the subscriber requests the subscription again."""
    OFF = "off"


class PayloadContent(StrEnum):
    """How much of an event a notification contains (payload content of the Subscriptions Backport)."""

    EMPTY = "empty"
    ID_ONLY = "id-only"


class EventState(StrEnum):
    """The state of an event in the queue."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given-up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The parts of the http or https URL of an endpoint; `host` in lower case, `target` is path and query."""

    url: str
    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> str:
        """The URL without path and query, which may hold secrets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == _PORTS[self.scheme] else f":{self.port}")


_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRequest:
    """The content of a Subscription resource, as it is stored.

    `patient_id`: the only person whom the subscription is about, or None. `filters`: for each name, lists of tokens
    (system, code); one token of each list must match; system None matches any. `headers` are sent with notifications
    and never shown. `max_count` (events) and `timeout` (seconds): limits set by the subscriber. `resource`: the other
    elements, to be shown again.
    """

    status: SubscriptionStatus
    topic: str
    patient_id: UUID | None
    filters: Mapping[str, list[list[tuple[str | None, str]]]]
    content: PayloadContent
    payload: str
    endpoint: Endpoint
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    max_count: int | None = None
    timeout: int | None = None
    end: datetime | None = None
    resource: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A subscription: its request, its owner, and its state.

    `since`: only later events are notified. `events`: the count of events so far, which is the number of the last one.
    `failures`: of the current delivery, since the last success. `notified_at`: when a notification was last delivered.
    """

    id: UUID
    owner: Requester
    request: SubscriptionRequest
    status: SubscriptionStatus
    error: str
    version: int
    since: datetime
    changed_at: datetime
    ends_at: datetime
    events: int = 0
    failures: int = 0
    notified_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicEvent:
    """An event of a subscription: what happened to `focus` at a time; `place` gives the order.

    `number` is None until the event is notified, or about to be. `journalled`: the access log of the person has the
    entry. `waiting`: it is still to be delivered.
    """

    place: int
    focus: Focus
    at: datetime
    number: int | None = None
    journalled: bool = False
    waiting: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A delivery that failed for good: of `count` events up to place `upto`; with no events it was a handshake."""

    id: UUID
    subscription: Subscription
    upto: int
    count: int
    oldest: datetime | None
    attempts: int
    error: str
    failed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFigures:
    """The state of the queue: waiting events, the time of the oldest, dead letters, subscriptions by status."""

    waiting: int
    oldest: datetime | None
    letters: int
    by_status: Mapping[SubscriptionStatus, int]


class SubscriptionEvent(AccessEvent, frozen=True, kw_only=True):
    """Base of the journal events of a subscription; filed under the person whom it is about, or under nobody."""

    ACTION: ClassVar[str] = "E"
    RESOURCE: ClassVar[str] = "Subscription"
    FOLDS: ClassVar[bool] = False

    subscription_id: UUID


@event("subscriptions.requested", version=2)
class SubscriptionRequested(SubscriptionEvent, frozen=True, kw_only=True):
    """A subscription was requested: a new one, or one that was off or in error."""

    WORDS: ClassVar[str] = N_("%(actor)s asked to be notified of changes in your record.")
    OWN_WORDS: ClassVar[str] = N_("You asked to be notified of changes in your record.")

    topic: str
    endpoint: str
    """Without path and query."""
    ends_at: datetime


@event("subscriptions.ended", version=2)
class SubscriptionEnded(SubscriptionEvent, frozen=True, kw_only=True):
    """A subscription ended.

    `cause`: off or removed (by its owner), expired, too-old (in error for too long), too-many (waiting events), or
    not-allowed (its owner, or the software, may no longer subscribe).
    """

    WORDS: ClassVar[str] = N_("%(actor)s stopped notifications about your record.")
    OWN_WORDS: ClassVar[str] = N_("You stopped notifications about your record.")

    cause: str


@event("subscriptions.told", version=2)
class EventsNotified(SubscriptionEvent, frozen=True, kw_only=True):
    """A subscriber learned that documents were deposited or changed, but not what is in them.

    By a notification that is sent after this entry, or by an answer to $events.
    """

    ACTION: ClassVar[str] = "R"
    RESOURCE: ClassVar[str] = "DocumentReference"
    WORDS: ClassVar[str] = N_("%(actor)s was notified that a document was added or changed: %(categories)s.")
    OWN_WORDS: ClassVar[str] = N_("Your app was notified that a document was added or changed: %(categories)s.")

    endpoint: str = ""


@event("subscriptions.failed")
class DeliveryFailed(Event, frozen=True, kw_only=True):
    """A delivery failed for good, after `attempts`; the subscription is in error."""

    subscription_id: UUID
    attempts: int
    error: str


@event("subscriptions.letter_settled")
class DeadLetterSettled(Event, frozen=True, kw_only=True):
    """An operator decided about a dead letter of `count` events: `act` is retry or give-up."""

    subscription_id: UUID
    act: str
    count: int
