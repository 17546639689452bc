"""The table of all versions of all clinical resources."""

from esante.core.storage import Kind, Table

#: The migration describes the columns. Whoever adds a version sets `until` of the version before.
RESOURCE = Table(
    "fhir_resource",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "type": "text",
        "id": "uuid",
        "source": "uuid",
        "version": "integer",
        "since": "timestamptz",
        "until": "timestamptz",
        "deleted": "boolean",
        "body": "bytea",
        "index": "jsonb",
    },
)
