"""Journal events of retention."""

from datetime import date
from typing import ClassVar
from uuid import UUID

from esante.core.journal import event
from esante.core.web import N_
from esante.identity.access import AccessEvent


@event("record.retention_changed")
class RetentionChanged(AccessEvent, frozen=True, kw_only=True):
    """How long a source is kept was changed, or a change was proposed.

    `change`: proposed (by the author), agreed or refused (by the person), kept (for life, by the person alone), ended
    (an agreement, by the person). `until`: the last day; `date.max` for as long as the record is open.
    """

    ACTION: ClassVar[str] = "U"
    WORDS: ClassVar[str] = N_("%(actor)s changed how long data are kept: %(categories)s.")

    change: str
    until: date
    source_id: UUID


@event("record.content_deleted")
class ContentDeleted(AccessEvent, frozen=True, kw_only=True):
    """Documents and clinical data were deleted for good, by a disposition with this `rule`.

    `count`: of documents and versions of clinical resources; `current`: of documents that were the current version.
    """

    ACTION: ClassVar[str] = "D"
    WORDS: ClassVar[str] = N_("Data in your record were deleted, as planned: %(categories)s.")

    count: int = 0
    current: int = 0
