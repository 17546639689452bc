"""The invariant of the ledger, as SQL over all payments in one snapshot.

Each query returns nothing when all is right; what it returns is a fault of the program.
"""

from dataclasses import dataclass
from decimal import Decimal

from esante.core.storage import Database

_CHECKS = {
    "a transaction does not sum to 0": """
        SELECT transaction_id::text, sum(amount)::text FROM billing_posting
        GROUP BY person_id, transaction_id HAVING sum(amount) <> 0
    """,
    "the postings of a payment do not agree with its state": """
        WITH held AS (
            SELECT person_id, payment_id,
                coalesce(sum(amount) FILTER (WHERE account = 'benefits'), 0) AS benefits,
                coalesce(sum(amount) FILTER (WHERE account = 'payable'), 0) AS payable,
                coalesce(sum(amount) FILTER (WHERE account = 'transit'), 0) AS transit,
                coalesce(sum(amount) FILTER (WHERE account = 'bank'), 0) AS bank,
                coalesce(sum(amount) FILTER (WHERE account = 'recoverable'), 0) AS recoverable
            FROM billing_posting GROUP BY person_id, payment_id
        )
        SELECT t.payment_id::text, t.state FROM billing_transfer t
        JOIN billing_payment p ON p.person_id = t.person_id AND p.note_id = t.note_id
        LEFT JOIN held h ON h.person_id = t.person_id AND h.payment_id = t.payment_id
        WHERE p.amount <> t.amount OR p.payment_id <> t.payment_id OR (
            coalesce(h.benefits, 0), coalesce(h.payable, 0), coalesce(h.transit, 0), coalesce(h.bank, 0),
            coalesce(h.recoverable, 0)
        ) IS DISTINCT FROM (
            CASE WHEN p.cancelled_at IS NULL THEN p.amount + p.recovered ELSE 0 END,
            CASE WHEN t.state IN ('created', 'rejected') THEN -p.amount ELSE 0 END,
            CASE WHEN t.state = 'asked' THEN -p.amount ELSE 0 END,
            CASE WHEN t.state = 'paid' THEN -p.amount ELSE 0 END,
            CASE WHEN p.cancelled_at IS NULL THEN -p.recovered WHEN t.state = 'paid' THEN p.amount ELSE 0 END
        )
    """,
    "a posting has no payment": """
        SELECT g.transaction_id::text, g.payment_id::text FROM billing_posting g
        LEFT JOIN billing_transfer t ON t.payment_id = g.payment_id WHERE t.payment_id IS NULL
    """,
    "a payment has no transfer": """
        SELECT p.payment_id::text, '' FROM billing_payment p
        LEFT JOIN billing_transfer t ON t.payment_id = p.payment_id WHERE t.payment_id IS NULL
    """,
    "what a professional owes back does not agree with the ledger": """
        SELECT coalesce(r.provider_code, g.provider_code),
            coalesce(r.amount, 0) || ', ledger ' || coalesce(g.amount, 0)
        FROM billing_recoverable r FULL JOIN (
            SELECT provider_code, sum(amount) AS amount FROM billing_posting WHERE account = 'recoverable'
            GROUP BY provider_code) g USING (provider_code)
        WHERE coalesce(r.amount, 0) <> coalesce(g.amount, 0) OR coalesce(g.amount, 0) < 0
    """,
    "a line of the bank has no payment": """
        SELECT l.reference, coalesce(l.payment_id::text, '') FROM billing_bank_line l
        LEFT JOIN billing_transfer t ON t.payment_id = l.payment_id AND t.bank_line = l.reference AND t.state = 'paid'
        WHERE l.fault = '' AND t.payment_id IS NULL
    """,
}
_SUMS = """
    SELECT coalesce(sum(amount) FILTER (WHERE account = 'benefits' AND amount > 0), 0.00) AS validated,
        coalesce(sum(amount) FILTER (WHERE account = 'benefits' AND amount < 0), 0.00) AS cancelled,
        coalesce(sum(amount) FILTER (WHERE account = 'payable'), 0.00) AS payable,
        coalesce(sum(amount) FILTER (WHERE account = 'transit'), 0.00) AS transit,
        coalesce(sum(amount) FILTER (WHERE account = 'recoverable'), 0.00) AS recoverable,
        coalesce(sum(amount) FILTER (WHERE account = 'bank'), 0.00) AS bank,
        count(DISTINCT payment_id) AS payments
    FROM billing_posting
"""
_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """The sums of the ledger, and what is wrong.

    paid = validated - cancelled - payable - in flight + recoverable: every cent that was validated was paid, is about
    to be, or was netted.
    """

    payments: int
    validated: Decimal
    cancelled: Decimal
    payable: Decimal
    in_flight: Decimal
    recoverable: Decimal
    paid: Decimal
    faults: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


async def fetch_check(db: Database) -> CheckReport:
    """Return the sums of the ledger and what is wrong, of one moment."""
    async with db.transaction(isolation="repeatable_read") as conn:
        faults = [
            f"{what}: {row[0]} ({row[1]})"
            for what, sql in _CHECKS.items()
            for row in await conn.fetch(f"{sql} LIMIT {_SHOWN}")
        ]
        [sums] = await conn.fetch(_SUMS)
    return CheckReport(
        payments=sums["payments"],
        validated=sums["validated"],
        cancelled=-sums["cancelled"],
        payable=-sums["payable"],
        in_flight=-sums["transit"],
        recoverable=sums["recoverable"],
        paid=-sums["bank"],
        faults=tuple(faults),
    )
