"""The topics that the services declare (`esante.contract.Topic`)."""

from collections.abc import Iterable

from esante.contract import Focus, Topic
from esante.core.journal import Entry
from esante.identity.access import AccessEvent

TOPICS: dict[str, Topic] = {}
"""Every declared topic by its address."""


def register_topics(topics: Iterable[Topic]) -> None:
    """Make declared topics known."""
    TOPICS.update((topic.url, topic) for topic in topics)


def foci_of(entry: Entry) -> list[tuple[Topic, Focus]]:
    """Return the resources that an entry may be notified for; none for a refusal or an entry past its retention."""
    if not isinstance(entry.event, AccessEvent) or not entry.event.allowed:
        return []
    return [
        (topic, focus)
        for topic in TOPICS.values()
        if isinstance(entry.event, topic.follows)
        for focus in dict.fromkeys(topic.foci(entry))
    ]
