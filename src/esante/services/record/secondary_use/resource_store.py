"""SQL of what enters secondary use."""

from collections.abc import Sequence
from uuid import UUID

from esante.core.storage import Connection, Database
from esante.services.record.documents.store import DocumentKey
from esante.services.record.indexing.source_store import SourceKey

_HOLDERS = " UNION ".join(
    f"(SELECT DISTINCT person_id FROM {table} WHERE person_id > $1 ORDER BY person_id LIMIT $2)"  # noqa: S608 - constants
    for table in ("document", "contribution")
)


async def fetch_holders(db: Database | Connection, after: UUID, limit: int) -> list[UUID]:
    """Return persons of whom there are documents or contributions, in the order of their keys, from after one on."""
    rows = await db.fetch(f"{_HOLDERS} ORDER BY person_id LIMIT $2", after, limit)
    return [row["person_id"] for row in rows]


async def count_holders(db: Database | Connection) -> int:
    """Return of how many persons there are documents or contributions."""
    return int(
        await db.fetchval(
            "SELECT count(*) FROM (SELECT person_id FROM document UNION SELECT person_id FROM contribution) AS holder"
        )
    )


async def fetch_resources(
    db: Database | Connection, sources: Sequence[SourceKey], types: Sequence[str]
) -> list[tuple[UUID, str, bytes]]:
    """Return the current resources of sources: person, type, body. One in several sources is that of the latest."""
    rows = await db.fetch(
        """
        SELECT person_id, type, body FROM (
            SELECT DISTINCT ON (r.person_id, r.type, r.id) r.person_id, r.type, r.deleted, r.body
            FROM unnest($1::uuid[], $2::uuid[]) AS s (person_id, source)
            JOIN fhir_resource r ON r.person_id = s.person_id AND r.source = s.source
            WHERE r.person_id = ANY ($4::uuid[]) AND r.type = ANY ($3::text[]) AND r.until = 'infinity'
            ORDER BY r.person_id, r.type, r.id, r.since DESC, r.source DESC) AS latest
        WHERE NOT deleted
        """,
        [person_id for person_id, _ in sources],
        [source for _, source in sources],
        list(types),
        list({person_id for person_id, _ in sources}),
    )
    return [(row["person_id"], row["type"], row["body"]) for row in rows]


async def fetch_document_keys(db: Database | Connection, persons: Sequence[UUID]) -> list[DocumentKey]:
    """Return the keys of the current documents of persons that nobody restricted and that no patient wrote."""
    rows = await db.fetch(
        "SELECT person_id, document_id FROM document WHERE person_id = ANY ($1::uuid[]) AND status = 'current'"
        " AND NOT misfiled AND confidentiality = 'normal' AND author_kind <> 'patient'"
        " ORDER BY person_id, document_id",
        list(persons),
    )
    return [(row["person_id"], row["document_id"]) for row in rows]
