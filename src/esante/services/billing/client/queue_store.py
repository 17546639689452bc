"""The queue: one SQLite file, written through to the disk before anything is sent.

Several programs may use one file. A change is written only over the version that was read (`save`), so two of them
never take a note on two ways.
"""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from .model import FINAL, Confirmations, Entry, QueueError, State, Way

MAX_OPEN = 10_000
"""Notes that are not done yet."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS note (
    id TEXT PRIMARY KEY, body BLOB NOT NULL, state TEXT NOT NULL, way TEXT NOT NULL, simulation_id TEXT NOT NULL,
    statutory TEXT NOT NULL, personal TEXT NOT NULL, confirmations TEXT NOT NULL, validating INTEGER NOT NULL,
    payment_id TEXT NOT NULL, attempts INTEGER NOT NULL, next_at REAL NOT NULL, cause TEXT NOT NULL,
    version INTEGER NOT NULL, added_at REAL NOT NULL
) STRICT"""
_NAMES = tuple(one.name for one in fields(Entry))
_INSERT = f"INSERT INTO note ({', '.join(_NAMES)}, added_at) VALUES ({', '.join('?' * (len(_NAMES) + 1))})"  # noqa: S608 - names of fields
_UPDATE = f"UPDATE note SET {', '.join(f'{name} = ?' for name in _NAMES)} WHERE id = ? AND version = ?"  # noqa: S608 - names of fields
_SELECT = f"SELECT {', '.join(_NAMES)} FROM note"  # noqa: S608 - names of fields
_OPEN = f"state NOT IN ({', '.join(repr(state.value) for state in sorted(FINAL))})"


class NoteQueue:
    """The queue in a file, which is made when it is missing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._connection() as conn:
            conn.execute(_SCHEMA)

    def add(self, entry: Entry) -> Entry:
        """Put a note into the queue and return it as it is there: one that is there already stays as it is.

        Raises: `QueueError` for another note with the same UUID, and when too many wait.
        """
        with self._connection() as conn:
            conn.execute("BEGIN IMMEDIATE")
            known = _first(conn, entry.id)
            if known is not None:
                if known.body != entry.body:
                    raise QueueError(f"another fee note with the UUID {entry.id} is in the queue; give it a new one")
                return known
            (waiting,) = conn.execute(f"SELECT count(*) FROM note WHERE {_OPEN}").fetchone()  # noqa: S608 - constant
            if waiting >= MAX_OPEN:
                raise QueueError(f"{MAX_OPEN:,} fee notes wait already; connect to the platform first")
            conn.execute(_INSERT, (*_values(entry), time.time()))
            return entry

    def find(self, note_id: str) -> Entry:
        """Return a note. Raises: `QueueError` when it is not in the queue."""
        with self._connection() as conn:
            found = _first(conn, note_id)
        if found is None:
            raise QueueError(f"no fee note {note_id} in the queue")
        return found

    def save(self, before: Entry, **changes: Any) -> Entry | None:
        """Change a note that is still as it was read; None, and nothing is changed, when it is not."""
        after = replace(before, **changes, version=before.version + 1)
        with self._connection() as conn:
            cursor = conn.execute(_UPDATE, (*_values(after), before.id, before.version))
        return after if cursor.rowcount == 1 else None

    def entries(self, *states: State) -> list[Entry]:
        """Return the notes in some states (none given: all), the oldest first."""
        wanted = states or tuple(State)
        marks = ", ".join("?" * len(wanted))
        with self._connection() as conn:
            rows = conn.execute(f"{_SELECT} WHERE state IN ({marks}) ORDER BY added_at, id", wanted).fetchall()
        return [_entry(row) for row in rows]

    def due(self, now: float, limit: int) -> list[str]:
        """Return the ids of notes that may be tried at a time (Unix), the oldest first."""
        with self._connection() as conn:
            rows = conn.execute(
                f"SELECT id FROM note WHERE {_OPEN} AND next_at <= ? ORDER BY added_at, id LIMIT ?",  # noqa: S608 - constant
                (now, limit),
            ).fetchall()
        return [row[0] for row in rows]

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection whose work is committed, and on disk, at the end of the context."""
        conn = sqlite3.connect(self._path, timeout=30.0)
        try:
            conn.execute("PRAGMA journal_mode = WAL")
            conn.execute("PRAGMA synchronous = FULL")
            with conn:
                yield conn
        finally:
            conn.close()


def _first(conn: sqlite3.Connection, note_id: str) -> Entry | None:
    row = conn.execute(f"{_SELECT} WHERE id = ?", (note_id,)).fetchone()
    return _entry(row) if row else None


def _values(entry: Entry) -> tuple[Any, ...]:
    stored = {"confirmations": json.dumps(asdict(entry.confirmations)) if entry.confirmations else ""}
    return tuple(stored.get(name, getattr(entry, name)) for name in _NAMES)


def _entry(row: tuple[Any, ...]) -> Entry:
    values = dict(zip(_NAMES, row, strict=True))
    confirmed = values["confirmations"]
    return Entry(
        **values
        | {
            "state": State(values["state"]),
            "way": Way(values["way"]),
            "validating": bool(values["validating"]),
            "confirmations": Confirmations(**json.loads(confirmed)) if confirmed else None,
        }
    )
