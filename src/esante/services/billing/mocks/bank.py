"""A stand-in for the bank of the health insurance: it takes orders, moves money between accounts it invents, reports.

It behaves as a bank does: an order is executed once, by the id of its file (MsgId) and by its end-to-end id; it may be
slow, silent, or silent after it took the money; it reports its lines late, twice, or in another order.
"""

import asyncio
import random
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

from lxml import etree
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from esante.core.clock import now
from esante.services.billing.mocks.bank_store import Books, Line, Order, Status

PAIN002 = "urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"
CAMT054 = "urn:iso:std:iso:20022:tech:xsd:camt.054.001.08"
PAGE = 100
"""Lines in one camt.054 at most."""
SILENCE_SECONDS = 3_600.0
MAX_BODY = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How the bank behaves.

    latency               seconds before each answer
    reject                reason code with which orders are refused ("": none), only those to `reject_ibans` if any
    silent                share of the orders, from 0 to 1, that get no answer and are not taken
    silent_after_taking   the same share is taken, and only its answer is missing
    duplicate             each line is reported twice
    reorder               lines are reported in any order
    other_holder          names that are not those of the account's holder
    """

    latency: float = 0.0
    reject: str = ""
    reject_ibans: frozenset[str] = frozenset()
    silent: float = 0.0
    silent_after_taking: bool = False
    duplicate: bool = False
    reorder: bool = False
    other_holder: frozenset[str] = field(default_factory=frozenset)

    def refusal(self, iban: str) -> str:
        """Return the reason with which an order to an account is refused, "" when it is executed."""
        return self.reject if self.reject and (not self.reject_ibans or iban in self.reject_ibans) else ""


class MockBank:
    """The bank: its books, in memory or in a file (so that they outlive the process), and its answers."""

    def __init__(self, behaviour: Behaviour | None = None, books: Path | None = None, seed: int = 1) -> None:
        self.behaviour, self.books = behaviour or Behaviour(), Books(books)
        self._rng = random.Random(seed)  # noqa: S311 - it only decides on faults

    def take(self, data: bytes) -> str:
        """Take the orders of a file; return its message id. The same file, or end-to-end id, is executed once."""
        root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
        message_id = _text(root, "GrpHdr/MsgId")
        orders = [_order(message_id, one) for one in root.iterfind(".//{*}CdtTrfTxInf")]
        if not orders or not all(one.message_id and one.end_to_end_id and one.iban for one in orders):
            raise ValueError("the order lacks an id or an account")
        lines = 2 if self.behaviour.duplicate else 1
        self.books.execute(orders, lambda order: self.behaviour.refusal(order.iban), now(), lines=lines)
        return message_id

    def status(self, message_id: str) -> bytes | None:
        """Return the pain.002 of a file, None for one that the bank does not have."""
        found = self.books.status(message_id)
        return _status(message_id, found) if found else None

    def statement(self, after: int) -> tuple[bytes, int] | None:
        """Return a camt.054 of the lines after a place, and the place of the last; None when there are none."""
        rows = self.books.lines(after, PAGE)
        if not rows:
            return None
        last = rows[-1][0]
        if self.behaviour.reorder:
            self._rng.shuffle(rows)
        return _statement(after, rows), last

    @property
    def paid(self) -> dict[str, list[Decimal]]:
        """The amounts that left the account, by their end-to-end ids; more than one is a double payment."""
        return self.books.paid()

    @property
    def total(self) -> Decimal:
        """The money that left the account."""
        return sum((amount for amounts in self.paid.values() for amount in amounts), Decimal("0.00"))

    def match_name(self, name: str) -> str:
        """Return the answer of the verification of payee for a name."""
        return "NMTC" if name in self.behaviour.other_holder else "MTCH"

    def is_silent(self) -> bool:
        """Return whether the next order gets no answer."""
        return self._rng.random() < self.behaviour.silent


def application(bank: MockBank) -> Starlette:
    """Return the bank as a web application (see `payment.bank` for its addresses)."""

    async def order(request: Request) -> Response:
        await asyncio.sleep(bank.behaviour.latency)
        data = await request.body()
        silent = bank.is_silent()
        if silent and not bank.behaviour.silent_after_taking:
            await asyncio.sleep(SILENCE_SECONDS)
        try:
            message_id = bank.take(data[:MAX_BODY])
        except (ValueError, ArithmeticError, etree.XMLSyntaxError) as error:
            return Response(f"This is not an order: {error}\n", 400)
        if silent:
            await asyncio.sleep(SILENCE_SECONDS)
        return Response(bank.status(message_id), media_type="application/xml")

    async def status(request: Request) -> Response:
        await asyncio.sleep(bank.behaviour.latency)
        found = bank.status(request.path_params["message_id"])
        return Response(found, media_type="application/xml") if found else Response(status_code=404)

    async def statement(request: Request) -> Response:
        after = request.query_params.get("after", "0")
        found = bank.statement(int(after)) if after.isdigit() else None
        if found is None:
            return Response(status_code=204)
        return Response(found[0], headers={"Place": str(found[1])}, media_type="application/xml")

    async def verify(request: Request) -> Response:
        asked = await request.json()
        return JSONResponse({"match": bank.match_name(str(asked.get("name"))), "name": ""})

    async def balance(request: Request) -> Response:
        paid = bank.paid
        twice = sum(len(amounts) > 1 for amounts in paid.values())
        return JSONResponse({"paid": f"{bank.total:.2f}", "payments": len(paid), "twice": twice})

    return Starlette(
        routes=[
            Route("/pain001", order, methods=["POST"]),
            Route("/pain002/{message_id}", status),
            Route("/camt054", statement),
            Route("/payee-verification", verify, methods=["POST"]),
            Route("/balance", balance),
        ]
    )


def _order(message_id: str, node: "etree._Element") -> Order:
    return Order(
        message_id=message_id,
        end_to_end_id=_text(node, "PmtId/EndToEndId"),
        iban=_text(node, "CdtrAcct/Id/IBAN"),
        name=_text(node, "Cdtr/Nm"),
        amount=Decimal(_text(node, "Amt/InstdAmt")),
    )


def _status(message_id: str, orders: list[Status]) -> bytes:
    of_all = {status for _, status, _ in orders}
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><Document xmlns="{PAIN002}"><CstmrPmtStsRpt>'
        f"<GrpHdr><MsgId>{uuid4().hex}</MsgId><CreDtTm>{_time()}</CreDtTm></GrpHdr>"
        f"<OrgnlGrpInfAndSts><OrgnlMsgId>{message_id}</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId>"
        f"<GrpSts>{of_all.pop() if len(of_all) == 1 else 'PART'}</GrpSts></OrgnlGrpInfAndSts>"
        f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>{message_id}</OrgnlPmtInfId>"
        f"{''.join(_order_status(*one) for one in orders)}"
        "</OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>"
    ).encode()


def _order_status(end_to_end: str, status: str, reason: str) -> str:
    reasons = f"<StsRsnInf><Rsn><Cd>{reason}</Cd></Rsn></StsRsnInf>" if reason else ""
    return (
        f"<TxInfAndSts><OrgnlEndToEndId>{end_to_end}</OrgnlEndToEndId><TxSts>{status}</TxSts>{reasons}</TxInfAndSts>"
    )


def _statement(after: int, rows: list[Line]) -> bytes:
    entries = "".join(
        f'<Ntry><NtryRef>{place}</NtryRef><Amt Ccy="EUR">{Decimal(amount):.2f}</Amt><CdtDbtInd>DBIT</CdtDbtInd>'
        f"<Sts><Cd>BOOK</Cd></Sts><BookgDt><DtTm>{at}</DtTm></BookgDt><AcctSvcrRef>{reference}</AcctSvcrRef>"
        "<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>IRCT</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd>"
        f"<NtryDtls><TxDtls><Refs><EndToEndId>{end_to_end}</EndToEndId></Refs></TxDtls></NtryDtls></Ntry>"
        for place, reference, end_to_end, amount, at in rows
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><Document xmlns="{CAMT054}"><BkToCstmrDbtCdtNtfctn>'
        f"<GrpHdr><MsgId>CAMT-{after}</MsgId><CreDtTm>{_time()}</CreDtTm></GrpHdr>"
        f"<Ntfctn><Id>NTF-{after}</Id><CreDtTm>{_time()}</CreDtTm>"
        f"<Acct><Id><IBAN>LU280019400644750000</IBAN></Id></Acct>{entries}</Ntfctn>"
        "</BkToCstmrDbtCdtNtfctn></Document>"
    ).encode()


def _time() -> str:
    return f"{now():%Y-%m-%dT%H:%M:%SZ}"


def _text(root: "etree._Element", path: str) -> str:
    wild = "/".join(f"{{*}}{part}" for part in path.split("/"))
    return (root.findtext(f".//{wild}") or "").strip()
