"""SQL of the books of the bank's stand-in (SQLite): orders by the ids of their files, lines of the account."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

_TABLES = """
CREATE TABLE IF NOT EXISTS orders (
    message_id TEXT PRIMARY KEY, end_to_end_id TEXT, iban TEXT, name TEXT, amount TEXT, status TEXT, reason TEXT);
CREATE TABLE IF NOT EXISTS lines (
    place INTEGER PRIMARY KEY AUTOINCREMENT, reference TEXT, end_to_end_id TEXT, amount TEXT, at TEXT);
"""
TWICE = "AM05"
"""The reason of an order whose end-to-end id was executed already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order; `reason`: why it is refused, "" when it is executed."""

    message_id: str
    end_to_end_id: str
    iban: str
    name: str
    amount: str
    reason: str


class Books:
    """The books, in memory or in a file (so that they outlive the process)."""

    def __init__(self, file: Path | None = None) -> None:
        self._db = sqlite3.connect(file or ":memory:", isolation_level=None, check_same_thread=False)
        self._db.executescript(_TABLES)

    def add(self, order: Order, reference: str, at: str, copies: int) -> None:
        """Execute or refuse an order, once by its file's id and by its end-to-end id; `copies` of its line."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            known = "SELECT 1 FROM orders WHERE message_id = ?"
            if self._db.execute(known, (order.message_id,)).fetchone() is None:
                self._add(order, reference, at, copies)
        finally:
            self._db.execute("COMMIT")

    def _add(self, order: Order, reference: str, at: str, copies: int) -> None:
        paid = "SELECT 1 FROM orders WHERE end_to_end_id = ? AND status = 'ACSC'"
        reason = TWICE if self._db.execute(paid, (order.end_to_end_id,)).fetchone() else order.reason
        key = order.message_id, order.end_to_end_id
        values = *key, order.iban, order.name, order.amount, "RJCT" if reason else "ACSC", reason
        self._db.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        insert = "INSERT INTO lines (reference, end_to_end_id, amount, at) VALUES (?, ?, ?, ?)"
        for _ in range(0 if reason else copies):
            self._db.execute(insert, (reference, order.end_to_end_id, order.amount, at))

    def status(self, message_id: str) -> tuple[str, str, str] | None:
        """Return end-to-end id, status and reason of an order, None for an unknown one."""
        sql = "SELECT end_to_end_id, status, reason FROM orders WHERE message_id = ?"
        row: tuple[str, str, str] | None = self._db.execute(sql, (message_id,)).fetchone()
        return row

    def lines(self, after: int, limit: int) -> list[tuple[int, str, str, str, str]]:
        """Return the lines after a place: place, reference, end-to-end id, amount, moment."""
        sql = "SELECT place, reference, end_to_end_id, amount, at FROM lines WHERE place > ? ORDER BY place LIMIT ?"
        return self._db.execute(sql, (after, limit)).fetchall()

    def paid(self) -> list[tuple[str, str]]:
        """Return end-to-end id and amount of what was executed."""
        return self._db.execute("SELECT end_to_end_id, amount FROM orders WHERE status = 'ACSC'").fetchall()
