"""PostgreSQL and the object store: the only package that opens either."""

from esante.core.storage.background import yield_to_requests
from esante.core.storage.cluster import distribute_tables
from esante.core.storage.connect import open_database
from esante.core.storage.database import (
    Database,
    Overloaded,
    Unavailable,
    insert,
    insert_in_batches,
    write_in_batches,
)
from esante.core.storage.dataloader import DataLoader
from esante.core.storage.embedded import EmbeddedError
from esante.core.storage.job_store import record_failure
from esante.core.storage.jobs import JobState, JobWorker
from esante.core.storage.keyfile import read_or_create_key, replace_key
from esante.core.storage.migrations import (
    Migration,
    PendingMigrations,
    apply_migrations,
    migrations_in,
    pending_migrations,
)
from esante.core.storage.objects import INLINE_LIMIT, Objects, Piece, sha256
from esante.core.storage.pool import Connection
from esante.core.storage.private_folder import FolderError, make_private
from esante.core.storage.table import TABLES, Kind, Row, Table
from esante.core.storage.uuids import NIL, parse_uuid, uuid7, uuid7_floor, uuid7_time, uuid8

__all__ = [
    "INLINE_LIMIT",
    "NIL",
    "TABLES",
    "Connection",
    "DataLoader",
    "Database",
    "EmbeddedError",
    "FolderError",
    "JobState",
    "JobWorker",
    "Kind",
    "Migration",
    "Objects",
    "Overloaded",
    "PendingMigrations",
    "Piece",
    "Row",
    "Table",
    "Unavailable",
    "apply_migrations",
    "distribute_tables",
    "insert",
    "insert_in_batches",
    "make_private",
    "migrations_in",
    "open_database",
    "parse_uuid",
    "pending_migrations",
    "read_or_create_key",
    "record_failure",
    "replace_key",
    "sha256",
    "uuid7",
    "uuid7_floor",
    "uuid7_time",
    "uuid8",
    "write_in_batches",
    "yield_to_requests",
]
