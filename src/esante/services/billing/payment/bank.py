"""The bank of the health insurance, over HTTP: orders, their status, the statement, the names of accounts' holders.

POST /pain001                 an order; the answer is its status (pain.002)
GET  /pain002/{MsgId}         the status of an order; 404 when the bank does not have it
GET  /camt054?after=N         lines of the statement after place N (camt.054), their last place in the header `Place`;
                              204 when there are none
POST /payee-verification      whether a name is that of an account's holder
"""

import logging

import httpx

from esante.services.billing.payment.bank_messages import BadMessage, Outcome, Report, read_lines, read_status
from esante.services.billing.payment.model import BankLine, NameMatch, Transfer
from esante.services.billing.payment.pain001 import Debtor, credit_transfer

log = logging.getLogger(__name__)
_XML = {"Content-Type": "application/xml"}
_UNKNOWN = Report(Outcome.OPEN)


class BankSilent(Exception):
    """The bank gave no answer that can be used."""


class Bank:
    """The bank; `transport` replaces the network (for another bank in the same process)."""

    def __init__(
        self, url: str, debtor: Debtor, timeout: float, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.is_known = bool(url)
        self.timeout, self._debtor = timeout, debtor
        self._http = httpx.AsyncClient(base_url=url, timeout=timeout, transport=transport)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def order(self, transfer: Transfer) -> Report:
        """Give the bank the order for a transfer. No answer, and one that makes no sense, leave its fate open."""
        data = credit_transfer(transfer, self._debtor)
        try:
            answer = await self._http.post("/pain001", content=data, headers=_XML)
            return read_status(answer.content, transfer.message_id)
        except (httpx.HTTPError, BadMessage) as error:
            log.warning("the bank gave no status of order %s: %s", transfer.message_id, type(error).__name__)
            return _UNKNOWN

    async def status(self, transfer: Transfer) -> Report:
        """Ask the bank what became of an order."""
        try:
            answer = await self._http.get(f"/pain002/{transfer.message_id}")
            if answer.status_code == 404:
                return Report(Outcome.NOT_KNOWN)
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
        return read_lines(answer.content), int(place)

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
