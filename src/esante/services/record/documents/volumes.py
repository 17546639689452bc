"""Documents of a person whose entries of the directory were merged: each stays in the record where it is filed."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from esante.core.storage import Database
from esante.identity.directory import Directory
from esante.services.record import rules
from esante.services.record.documents import store
from esante.services.record.model import Document, Filters, Order
from esante.services.record.restrictions.wholes import Wholes


async def fetch_merged_page(
    db: Database,
    visibilities: Mapping[UUID, rules.Visibility],
    filters: Filters,
    order: Order,
    position: store.PagePosition,
    limit: int,
) -> list[Document]:
    """Return up to `limit` documents of the records of some entries in one order, starting after a position.

    `visibilities`: by the entry. As `store.fetch_page`, whose result it is for one entry.
    """
    pages = [
        await store.fetch_page(db, person_id, visibility.filter, filters, order, position, limit)
        for person_id, visibility in visibilities.items()
    ]
    if len(pages) == 1:
        return pages[0]
    return _sorted([document for page in pages for document in page], order)[:limit]


async def show_merged(
    wholes: Wholes, visibilities: Mapping[UUID, rules.Visibility], documents: Sequence[Document]
) -> list[Document]:
    """Return those of some documents that the requester may see, in their order, as they are for them."""
    shown: dict[UUID, Document] = {}
    for person_id, visibility in visibilities.items():
        own = [one for one in documents if one.person_id == person_id and visibility.includes(one)]
        shown |= {one.id: one for one in await wholes.shown(visibility, own)}
    return [shown[one.id] for one in documents if one.id in shown]


async def find_volume(db: Database, directory: Directory, person_id: UUID, document_id: UUID) -> UUID:
    """Return the entry of a person under which a document is filed; `person_id` when there is none such."""
    volumes = await directory.merges.volumes(person_id)
    if len(volumes) == 1:
        return person_id
    keys = [(volume, document_id) for volume in volumes]
    found = await store.fetch_documents(db, keys)
    return next((key[0] for key in keys if key in found), person_id)


def _sorted(documents: Sequence[Document], order: Order) -> list[Document]:
    """Return documents as the statements of `store` order them."""
    if order is Order.DEPOSITED:
        return sorted(documents, key=lambda one: one.id, reverse=True)
    return sorted(documents, key=lambda one: (one.event_date, one.id), reverse=order is Order.NEWEST)
