"""SQL of the mock bank's books (SQLite): orders, each once, and the lines of the statement."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

_TABLES = """
CREATE TABLE IF NOT EXISTS orders (
    message_id TEXT, end_to_end_id TEXT, iban TEXT, name TEXT, amount TEXT, status TEXT, reason TEXT,
    PRIMARY KEY (message_id, end_to_end_id));
CREATE TABLE IF NOT EXISTS lines (
    place INTEGER PRIMARY KEY AUTOINCREMENT, reference TEXT, end_to_end_id TEXT, amount TEXT, at TEXT);
"""
Line = tuple[int, str, str, str, str]
"""A line of the statement: place, the bank's reference, end-to-end id, amount, time."""
Status = tuple[str, str, str]
"""What became of an order: end-to-end id, status, reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order: the id of its file, the end-to-end id, and where how much is to go."""

    message_id: str
    end_to_end_id: str
    iban: str
    name: str
    amount: Decimal


class Books:
    """The books in a file, or in memory."""

    def __init__(self, file: Path | None) -> None:
        self._db = sqlite3.connect(file or ":memory:", isolation_level=None, check_same_thread=False)
        self._db.executescript(_TABLES)

    def execute(self, orders: Sequence[Order], refusal: Callable[[Order], str], at: datetime, *, lines: int) -> None:
        """Execute the orders of a file that is new, or refuse some for a reason; each is reported as so many lines.

        An end-to-end id that was paid before is refused as a duplicate (AM05).
        """
        self._db.execute("BEGIN IMMEDIATE")
        try:
            if not self.status(orders[0].message_id):
                for order in orders:
                    self._execute(order, refusal(order), at, lines)
        finally:
            self._db.execute("COMMIT")

    def _execute(self, order: Order, reason: str, at: datetime, lines: int) -> None:
        paid = "SELECT 1 FROM orders WHERE end_to_end_id = ? AND status = 'ACSC'"
        if self._db.execute(paid, (order.end_to_end_id,)).fetchone():
            reason = "AM05"
        values = order.message_id, order.end_to_end_id, order.iban, order.name, str(order.amount)
        status = "RJCT" if reason else "ACSC"
        self._db.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?)", (*values, status, reason))
        reference = uuid4().hex[:16].upper()
        for _ in range(0 if reason else lines):
            self.add_line(reference, order.end_to_end_id, order.amount, at)

    def add_line(self, reference: str, end_to_end_id: str, amount: Decimal, at: datetime) -> None:
        """Report a line."""
        self._db.execute(
            "INSERT INTO lines (reference, end_to_end_id, amount, at) VALUES (?, ?, ?, ?)",
            (reference, end_to_end_id, str(amount), at.isoformat()),
        )

    def status(self, message_id: str) -> list[Status]:
        """Return the end-to-end id, the status and the reason of each order of a file; none for an unknown one."""
        return self._db.execute(
            "SELECT end_to_end_id, status, reason FROM orders WHERE message_id = ? ORDER BY rowid", (message_id,)
        ).fetchall()

    def lines(self, after: int, limit: int) -> list[Line]:
        """Return lines after a place."""
        return self._db.execute(
            "SELECT place, reference, end_to_end_id, amount, at FROM lines WHERE place > ? ORDER BY place LIMIT ?",
            (after, limit),
        ).fetchall()

    def paid(self) -> dict[str, list[Decimal]]:
        """Return the amounts that left the account, by their end-to-end ids."""
        found: dict[str, list[Decimal]] = {}
        for end_to_end, amount in self._db.execute("SELECT end_to_end_id, amount FROM orders WHERE status = 'ACSC'"):
            found.setdefault(end_to_end, []).append(Decimal(amount))
        return found
