"""SQL of the SOC's members."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.soc.tenants.model import Contact, Tenant

TENANT = Table(
    "soc_tenant",
    Kind.LOCAL,
    {
        "tenant_id": "uuid",
        "organization_id": "uuid",
        "name": "text",
        "is_active": "boolean",
        "events_per_second": "integer",
        "joined_at": "timestamptz",
    },
)
CONTACT = Table(
    "soc_contact",
    Kind.LOCAL,
    {
        "tenant_id": "uuid",
        "practitioner_id": "uuid",
        "name": "text",
        "added_at": "timestamptz",
        "email": "text",
        "language": "text",
    },
    once=True,
)
_TENANT = "SELECT tenant_id, organization_id, name, is_active, events_per_second, joined_at FROM soc_tenant"


def tenant_row(tenant: Tenant) -> Row:
    """Return the row of a new member."""
    return TENANT, tuple(getattr(tenant, name) for name in TENANT.columns)


def contact_row(contact: Contact) -> Row:
    """Return the row of a contact."""
    return CONTACT, tuple(getattr(contact, name) for name in CONTACT.columns)


async def fetch(db: Database | Connection, tenant_id: UUID) -> Tenant | None:
    """Return a member, or None."""
    row = await db.fetchrow(f"{_TENANT} WHERE tenant_id = $1", tenant_id)
    return Tenant(**row) if row else None


async def fetch_agency(db: Database | Connection) -> Tenant | None:
    """Return the agency as a member, or None before it is one."""
    row = await db.fetchrow(f"{_TENANT} WHERE organization_id IS NULL")
    return Tenant(**row) if row else None


async def fetch_of_organizations(db: Database | Connection, organizations: Iterable[UUID]) -> dict[UUID, Tenant]:
    """Return the members among organisations, by organisation."""
    rows = await db.fetch(f"{_TENANT} WHERE organization_id = ANY($1)", [*organizations])
    return {row["organization_id"]: Tenant(**row) for row in rows}


async def fetch_page(db: Database, text: str, after: Sequence[Any] | None, limit: int) -> list[Tenant]:
    """Return members by name, the agency (without a name) first; `text`: a part of the name, `after`: name and key."""
    rows = await db.fetch(
        f"{_TENANT} WHERE ($1 = '' OR position(lower($1) IN lower(name)) > 0)"
        " AND ($2::text IS NULL OR (lower(name), tenant_id) > (lower($2), $3))"
        " ORDER BY lower(name), tenant_id LIMIT $4",
        text,
        *(after or (None, None)),
        limit,
    )
    return [Tenant(**row) for row in rows]


async def fetch_of_contact(db: Database, practitioner_id: UUID, organization_id: UUID) -> Tenant | None:
    """Return the member that a professional is a contact of at an organisation, or None."""
    row = await db.fetchrow(
        f"{_TENANT} WHERE organization_id = $2 AND EXISTS (SELECT FROM soc_contact c"
        " WHERE c.tenant_id = soc_tenant.tenant_id AND c.practitioner_id = $1)",
        practitioner_id,
        organization_id,
    )
    return Tenant(**row) if row else None


async def fetch_contacts(db: Database, tenant_id: UUID) -> list[Contact]:
    """Return the contacts of a member, by name."""
    rows = await db.fetch(
        "SELECT tenant_id, practitioner_id, name, added_at, email, language FROM soc_contact WHERE tenant_id = $1"
        " ORDER BY name, practitioner_id",
        tenant_id,
    )
    return [Contact(**row) for row in rows]


async def update(conn: Connection, tenant_id: UUID, *, is_active: bool, events_per_second: int) -> None:
    """Keep a member's quota, and whether it is active."""
    await conn.execute(
        "UPDATE soc_tenant SET is_active = $2, events_per_second = $3 WHERE tenant_id = $1",
        tenant_id,
        is_active,
        events_per_second,
    )


async def update_address(conn: Connection, tenant_id: UUID, practitioner_id: UUID, email: str, language: str) -> bool:
    """Keep where a contact gets messages, and in which language; return whether there is such a contact."""
    status = await conn.execute(
        "UPDATE soc_contact SET email = $3, language = $4 WHERE tenant_id = $1 AND practitioner_id = $2",
        tenant_id,
        practitioner_id,
        email,
        language,
    )
    return str(status) == "UPDATE 1"


async def delete_contact(conn: Connection, tenant_id: UUID, practitioner_id: UUID) -> bool:
    """End that a professional is a contact; return whether they were one."""
    status = await conn.execute(
        "DELETE FROM soc_contact WHERE tenant_id = $1 AND practitioner_id = $2", tenant_id, practitioner_id
    )
    return str(status) == "DELETE 1"
