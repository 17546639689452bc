"""The topics of subscriptions. A new topic is one more entry of `TOPICS`.

Subscribers are notified of an event only if they may see the resource after the change. So a document that a person
hides causes no more events for anybody else, and one that is shown again causes an event as any change does: a
notification does not reveal whether its document is new, changed, or was hidden until now.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from esante.core.journal import Entry
from esante.core.web import N_
from esante.identity.access import AccessEvent
from esante.services.record import (
    CATEGORIES,
    CATEGORY_SYSTEM,
    LOINC,
    ConfidentialitySet,
    Corrected,
    DepositedEvent,
    Document,
    Focus,
    Look,
    Replaced,
    Withdrawn,
    category_of_type,
)

TOPIC = "https://esante.lu/fhir/SubscriptionTopic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """A filter by a code: the system, whether a code exists in it (`known`), and the code of a resource."""

    system: str
    known: Callable[[str], bool]
    code: Callable[[Look, Focus], str]
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """Changes of resources of a type, for subscribers who may read and search them.

    `url` is the canonical URL of the topic, `title` a msgid. `follows`: the journal events that may be events of the
    topic; `foci` returns the resources that an entry is about. Every topic also has the filter `patient`.
    """

    url: str
    title: str
    description: str
    resource: str
    follows: tuple[type[AccessEvent], ...]
    foci: Callable[[Entry], Iterable[Focus]]
    filters: Mapping[str, Filter]


def _documents(entry: Entry) -> Iterable[Focus]:
    return (Focus("DocumentReference", entry.person_id, id_) for id_ in entry.event.documents)


def _of_document(code: Callable[[Document], str]) -> Callable[[Look, Focus], str]:
    def found(look: Look, focus: Focus) -> str:
        document = look.document(focus)
        return code(document) if document else ""

    return found


TOPICS: Mapping[str, Topic] = {
    topic.url: topic
    for topic in (
        Topic(
            url=f"{TOPIC}/documents",
            title=N_("Documents"),
            description="A document that the subscriber may see came in, or was replaced, withdrawn, corrected, or"
            " given another confidentiality.",
            resource="DocumentReference",
            follows=(DepositedEvent, Replaced, Withdrawn, Corrected, ConfidentialitySet),
            foci=_documents,
            filters={
                "category": Filter(
                    system=CATEGORY_SYSTEM,
                    known=CATEGORIES.__contains__,
                    code=_of_document(lambda document: document.category),
                    description="The category of the document.",
                ),
                "type": Filter(
                    system=LOINC,
                    known=lambda code: category_of_type(code) is not None,
                    code=_of_document(lambda document: document.type),
                    description="The LOINC type of the document.",
                ),
            },
        ),
    )
}
"""Every topic by its canonical URL."""


def foci_of(entry: Entry) -> list[tuple[Topic, Focus]]:
    """Return the topics and resources of a journal entry; none for a refused act, or an entry past its retention."""
    if not isinstance(entry.event, AccessEvent) or not entry.event.allowed:
        return []
    return [
        (topic, focus)
        for topic in TOPICS.values()
        if isinstance(entry.event, topic.follows)
        for focus in dict.fromkeys(topic.foci(entry))
    ]
