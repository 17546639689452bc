"""The topics of subscriptions about what is in the record.

A subscriber is notified of a resource that they may see after the change, and of nothing else. So a document that a
person hides falls silent for everybody else, and one that they show again is notified as any change is; a
notification does not tell whether its document is new, changed, or was hidden until now.
"""

from collections.abc import Callable, Iterable

from esante.contract import Focus, Topic, TopicFilter
from esante.core.journal import Entry
from esante.core.web import N_
from esante.services.record.categories import CATEGORIES, LOINC, category_of_type
from esante.services.record.documents.document_reference import CATEGORY_SYSTEM
from esante.services.record.model import (
    Compiled,
    ConfidentialitySet,
    Corrected,
    DepositedEvent,
    Document,
    Replaced,
    Withdrawn,
)
from esante.services.record.visibility import FocusSnapshot

_BASE = "https://esante.lu/fhir/SubscriptionTopic"


def _documents(entry: Entry) -> Iterable[Focus]:
    return (Focus("DocumentReference", entry.person_id, id_) for id_ in entry.event.documents)


def _of_document(code: Callable[[Document], str]) -> Callable[[FocusSnapshot, Focus], str]:
    def found(look: FocusSnapshot, focus: Focus) -> str:
        document = look.document(focus)
        return code(document) if document else ""

    return found


TOPICS = (
    Topic(
        url=f"{_BASE}/documents",
        title=N_("Documents"),
        description="A document that the subscriber may see came in, or was replaced, withdrawn, corrected, or"
        " given another confidentiality.",
        resource="DocumentReference",
        follows=(DepositedEvent, Replaced, Compiled, Withdrawn, Corrected, ConfidentialitySet),
        foci=_documents,
        filters={
            "category": TopicFilter(
                system=CATEGORY_SYSTEM,
                known=CATEGORIES.__contains__,
                code=_of_document(lambda document: document.category),
                description="The category of the document.",
            ),
            "type": TopicFilter(
                system=LOINC,
                known=lambda code: category_of_type(code) is not None,
                code=_of_document(lambda document: document.type),
                description="The LOINC type of the document.",
            ),
        },
    ),
)
