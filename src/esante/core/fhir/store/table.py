"""The one table of all clinical resources and all their versions."""

from esante.core.storage import Kind, Table

#: Columns are told of in the migration. `until` of the version before is set by whoever adds one.
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
