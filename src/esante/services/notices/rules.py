"""The rule which journal entries become notices."""

from collections.abc import Iterable

from esante.contract import NoticeKind
from esante.core.journal import Entry
from esante.services.notices.model import Notice


def make_notice(entry: Entry, kinds: Iterable[NoticeKind]) -> Notice | None:
    """Return the notice for an entry, of the first kind that applies; None when none does."""
    if entry.event is None:
        return None
    for kind in kinds:
        if isinstance(entry.event, kind.event) and kind.applies(entry):
            return _notice(entry, kind)
    return None


def _notice(entry: Entry, kind: NoticeKind) -> Notice:
    documents = getattr(entry.event, "documents", ())
    return Notice(
        person_id=entry.person_id,
        id=entry.id,
        at=entry.at,
        kind=kind,
        actor=kind.actor(entry),
        categories=tuple(getattr(entry.event, "categories", ())),
        document_id=documents[0] if documents and kind.link == "document" else None,
    )
