"""The bank of the health insurance, over HTTP: orders, their status, the statement, the names of accounts' holders.

POST /pain001                 an order; the answer is its status (pain.002)
GET  /pain002/{MsgId}         the status of an order; 404 when the bank does not have it
GET  /camt054?after=N         lines of the statement after place N (camt.054), their last place in the header `Place`;
                              204 when there are none
POST /payee-verification      whether a name is that of an account's holder
"""

import logging

import httpx

from esante.core.sepa import (
    AccountHolder,
    BadMessage,
    BookedLine,
    CreditTransfer,
    OrderStatus,
    Outcome,
    order_key,
    read_lines,
    read_status,
    write_credit_transfers,
)
from esante.services.billing.payment.model import BankLine, LineFault, NameMatch, Transfer

log = logging.getLogger(__name__)
_XML = {"Content-Type": "application/xml"}
_UNKNOWN = OrderStatus(Outcome.OPEN)


class BankSilent(Exception):
    """The bank gave no answer that can be used."""


class Bank:
    """The bank; `transport` replaces the network (for another bank in the same process)."""

    def __init__(
        self, url: str, debtor: AccountHolder, timeout: float, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.is_known = bool(url)
        self.timeout, self._debtor = timeout, debtor
        self._http = httpx.AsyncClient(base_url=url, timeout=timeout, transport=transport)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def order(self, transfer: Transfer) -> OrderStatus:
        """Give the bank the order for a transfer. No answer, and one that makes no sense, leave its fate open."""
        data = instant_order(transfer, self._debtor)
        try:
            answer = await self._http.post("/pain001", content=data, headers=_XML)
            return read_status(answer.content, transfer.message_id)
        except (httpx.HTTPError, BadMessage) as error:
            log.warning("the bank gave no status of order %s: %s", transfer.message_id, type(error).__name__)
            return _UNKNOWN

    async def status(self, transfer: Transfer) -> OrderStatus:
        """Ask the bank what became of an order."""
        try:
            answer = await self._http.get(f"/pain002/{transfer.message_id}")
            if answer.status_code == 404:
                return OrderStatus(Outcome.NOT_KNOWN)
            return read_status(answer.content, transfer.message_id)
        except (httpx.HTTPError, BadMessage) as error:
            log.warning("the bank gave no status of order %s: %s", transfer.message_id, type(error).__name__)
            return _UNKNOWN

    async def lines(self, after: int) -> tuple[list[BankLine], int]:
        """Return lines of the statement after a place, and the place of the last. Raises: BankSilent, BadMessage."""
        try:
            answer = await self._http.get("/camt054", params={"after": after})
        except httpx.HTTPError as error:
            raise BankSilent(type(error).__name__) from error
        if answer.status_code == 204:
            return [], after
        place = answer.headers.get("Place", "")
        if answer.status_code != 200 or not place.isdigit():
            raise BankSilent(f"status {answer.status_code}")
        return [bank_line(one) for one in read_lines(answer.content)], int(place)

    async def match_name(self, iban: str, name: str) -> tuple[NameMatch, str]:
        """Return whether a name is that of an account's holder, and the holder's for a close match.

        Raises: BankSilent.
        """
        try:
            answer = await self._http.post("/payee-verification", json={"iban": iban, "name": name})
            found = answer.raise_for_status().json()
            return NameMatch(found["match"]), str(found.get("name", ""))[:140]
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise BankSilent(type(error).__name__) from error


def instant_order(transfer: Transfer, debtor: AccountHolder) -> bytes:
    """Return the file with the one order for a transfer; the same one for the same attempt, whenever it is written."""
    order = CreditTransfer(
        end_to_end_id=transfer.payment_id.hex,
        creditor=AccountHolder(name=transfer.name, iban=transfer.iban),
        amount=transfer.amount,
        purpose=f"PID {transfer.note_id}",
        instruction_id=transfer.message_id,
    )
    return write_credit_transfers(debtor, [order], message_id=transfer.message_id, at=transfer.asked_at, instant=True)


def bank_line(line: BookedLine) -> BankLine:
    """Return a line of the statement with the payment that it names; what came back waits for an operator."""
    return BankLine(
        reference=line.reference,
        end_to_end_id=line.end_to_end_id,
        payment_id=order_key(line.end_to_end_id),
        amount=line.amount,
        booked_at=line.booked_at,
        fault=LineFault.RETURNED.value if line.returned else "",
    )
