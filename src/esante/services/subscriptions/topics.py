"""The topics: what one can be told of. A new topic is one more entry of `TOPICS`.

An event is told to who may see the thing it is about now, after the change; who may not is told nothing. So a document
that a person hides just falls silent for everybody else, and one that she shows again is told as any change is; nobody
can tell from a notification whether its document is new, changed, or was hidden until now.
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
    FocusSnapshot,
    Replaced,
    Withdrawn,
    category_of_type,
)

TOPIC = "https://esante.lu/fhir/SubscriptionTopic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """A filter by a code: the code's system, which codes there are, and which one a thing has."""

    system: str
    known: Callable[[str], bool]
    code: Callable[[FocusSnapshot, Focus], str]
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """What one can be told of: changes of resources of a type, as far as one may read and search them.

    `url` is the topic's canonical address, `title` a msgid. `follows`: the journal's entries that may be events,
    `foci`: what an entry is about. Every topic also has the filter `patient`.
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


def _of_document(code: Callable[[Document], str]) -> Callable[[FocusSnapshot, Focus], str]:
    def found(look: FocusSnapshot, focus: Focus) -> str:
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
"""Every topic by its address."""


def foci_of(entry: Entry) -> list[tuple[Topic, Focus]]:
    """What an entry of the journal may be told of; nothing for what was refused, or is past its retention."""
    if not isinstance(entry.event, AccessEvent) or not entry.event.allowed:
        return []
    return [
        (topic, focus)
        for topic in TOPICS.values()
        if isinstance(entry.event, topic.follows)
        for focus in dict.fromkeys(topic.foci(entry))
    ]
