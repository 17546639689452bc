"""What the platform lets others know of the journal: kinds of notices to persons, and topics of subscriptions."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from esante.core.journal import Entry, Event
from esante.identity.access import AccessEvent


def allowed_and_by_another(entry: Entry) -> bool:
    """Whether an entry is of something allowed that another than the person did."""
    return bool(getattr(entry.event, "allowed", True)) and entry.actor.id != entry.person_id


def actor_name(entry: Entry) -> str:
    """Return the name of who acted, or else of the organisation acted for."""
    return entry.actor.name or entry.actor.organization


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeKind:
    """A kind of notice to a person: which entries of `event` make one, its text and how it looks.

    `name` is stored. `text` is a msgid that may hold %(actor)s and %(categories)s. `link` is a page of the portal, or
    "document": the page of the document that the event names. `urgent`: shown above everything else until it is read.
    `contact`: shown with whom to ask about it. `by_any_means`: a person who never signed in gets it as a letter.
    `settled_by`: an event after which there is nothing left to do: older notices of the kind count as read.
    """

    name: str
    event: type[Event]
    text: str
    icon: str
    tone: str
    link: str
    urgent: bool = False
    contact: bool = False
    by_any_means: bool = False
    settled_by: type[Event] | None = None
    applies: Callable[[Entry], bool] = allowed_and_by_another
    actor: Callable[[Entry], str] = actor_name


class Focus(NamedTuple):
    """The resource that an event is about (SubscriptionStatus.notificationEvent.focus), of a person."""

    type: str
    person_id: UUID
    id: UUID

    @property
    def reference(self) -> str:
        """The resource's relative address."""
        return f"{self.type}/{self.person_id.hex}{self.id.hex}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicFilter:
    """A filter of a topic by a code: the code's system, which codes are known, and the code of a resource.

    `code` gets the service's view of the resources and the focus.
    """

    system: str
    known: Callable[[str], bool]
    code: Callable[[Any, Focus], str]
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic of subscriptions (SubscriptionTopic): changes of resources of a type that the subscriber may read.

    `url` is the topic's canonical address, `title` a msgid. `follows`: the events that may be notified, `foci`: the
    resources that an entry is about. Every topic also has the filter `patient`.
    """

    url: str
    title: str
    description: str
    resource: str
    follows: tuple[type[AccessEvent], ...]
    foci: Callable[[Entry], Iterable[Focus]]
    filters: Mapping[str, TopicFilter]
