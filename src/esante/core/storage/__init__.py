"""PostgreSQL and the object store: the only room that opens either."""

from esante.core.storage.cluster import distribute_tables
from esante.core.storage.connect import open_database
from esante.core.storage.database import Database, Overloaded, Unavailable, insert, insert_many, insert_parts
from esante.core.storage.dataloader import DataLoader
from esante.core.storage.embedded_host import EmbeddedError
from esante.core.storage.keyfile import key_file
from esante.core.storage.migrations import (
    Migration,
    PendingMigrations,
    apply_migrations,
    migrations_in,
    pending_migrations,
)
from esante.core.storage.objects import INLINE_LIMIT, Objects, sha256
from esante.core.storage.pool import Connection
from esante.core.storage.table import TABLES, Kind, Row, Table
from esante.core.storage.uuid7 import NIL, key_of, time_of, uuid7, uuid7_floor, uuid8

__all__ = [
    "INLINE_LIMIT",
    "NIL",
    "TABLES",
    "Connection",
    "DataLoader",
    "Database",
    "EmbeddedError",
    "Kind",
    "Migration",
    "Objects",
    "Overloaded",
    "PendingMigrations",
    "Row",
    "Table",
    "Unavailable",
    "apply_migrations",
    "distribute_tables",
    "insert",
    "insert_many",
    "insert_parts",
    "key_file",
    "key_of",
    "migrations_in",
    "open_database",
    "pending_migrations",
    "sha256",
    "time_of",
    "uuid7",
    "uuid7_floor",
    "uuid8",
]
