"""What the bank says: the status of orders (ISO 20022 pain.002) and the lines of its statement (camt.054).

Every version is read that has the elements used here (pain.002.001.10 and camt.054.001.08 are the present ones).
Messages come from outside: their size is bounded, and a document type is refused.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from lxml.etree import _Element

from esante.core.plain_xml import BrokenXml, parse_xml
from esante.core.sepa.model import BookedLine, OrderStatus, Outcome, StatusReport

MAX_BYTES = 8 * 1024 * 1024
_MAX_REFERENCE = 35
_PAIN, _CAMT = "{urn:iso:std:iso:20022:tech:xsd:pain.002.", "{urn:iso:std:iso:20022:tech:xsd:camt.054."
_PAID = {"ACSC", "ACCC"}
"""Settled on the account of the payer, or of the payee."""
_REFUSED = "RJCT"
_DUPLICATES = {"AM05", "DU01", "DU02", "DU03", "DU04", "DU05"}
"""Reasons that say that the bank has the order already: no answer to whether it paid."""
_NO_REASON = "NARR"
_CENT = Decimal("0.01")


class BadMessage(ValueError):
    """A message of the bank that cannot be read; the text says why, without its content."""


def read_message(data: bytes) -> StatusReport | list[BookedLine]:
    """Return what a pain.002 or a camt.054 says. Raises: BadMessage."""
    root = _parse(data)
    if str(root.tag).startswith(_PAIN):
        return _report(root)
    if str(root.tag).startswith(_CAMT):
        return [line for entry in root.iterfind(".//{*}Ntfctn/{*}Ntry") for line in _entry_lines(entry)]
    raise BadMessage("the message is neither a pain.002 nor a camt.054")


def read_status(data: bytes, message_id: str) -> OrderStatus:
    """Return what a pain.002 says of a file with one order. Raises: BadMessage for another message or file."""
    report = read_message(data)
    if not isinstance(report, StatusReport) or report.message_id != message_id:
        raise BadMessage("the status is about another order")
    return report.orders[0] if report.orders else report.whole


def read_lines(data: bytes) -> list[BookedLine]:
    """Return the booked lines of a camt.054, in its order. Raises: BadMessage."""
    lines = read_message(data)
    if isinstance(lines, StatusReport):
        raise BadMessage("the message is of another kind")
    return lines


def _report(root: _Element) -> StatusReport:
    group = root.find(".//{*}OrgnlGrpInfAndSts")
    payment = root.find(".//{*}OrgnlPmtInfAndSts")
    whole = _status(payment, "{*}PmtInfSts") if payment is not None and _text(payment, "{*}PmtInfSts") else None
    return StatusReport(
        message_id=_text(root, ".//{*}OrgnlGrpInfAndSts/{*}OrgnlMsgId"),
        whole=whole or _status(root if group is None else group, "{*}GrpSts"),
        orders=tuple(_status(one, "{*}TxSts") for one in root.iterfind(".//{*}TxInfAndSts")),
    )


def _status(node: _Element, path: str) -> OrderStatus:
    status, end_to_end = _text(node, path), _text(node, "{*}OrgnlEndToEndId")[:_MAX_REFERENCE]
    reason = _text(node, "{*}StsRsnInf/{*}Rsn/{*}Cd") or _text(node, "{*}StsRsnInf/{*}Rsn/{*}Prtry")
    if status in _PAID:
        return OrderStatus(Outcome.PAID, end_to_end_id=end_to_end)
    if status == _REFUSED and reason not in _DUPLICATES:
        return OrderStatus(Outcome.REJECTED, reason[:_MAX_REFERENCE] or _NO_REASON, end_to_end)
    return OrderStatus(Outcome.OPEN, end_to_end_id=end_to_end)


def _entry_lines(entry: _Element) -> Iterator[BookedLine]:
    """Yield a line for each transaction of an entry."""
    status = _text(entry, "{*}Sts/{*}Cd") or _text(entry, "{*}Sts")
    if status != "BOOK":
        return
    booked_at = _moment(_text(entry, "{*}BookgDt/{*}DtTm") or _text(entry, "{*}BookgDt/{*}Dt"))
    returned = _text(entry, "{*}CdtDbtInd") != "DBIT"
    for detail in entry.findall("{*}NtryDtls/{*}TxDtls") or [entry]:
        amount = detail.find("{*}Amt")
        yield BookedLine(
            reference=_reference(_text(detail, "{*}Refs/{*}AcctSvcrRef") or _text(entry, "{*}AcctSvcrRef")),
            end_to_end_id=_text(detail, "{*}Refs/{*}EndToEndId")[:_MAX_REFERENCE],
            amount=_amount(entry.find("{*}Amt") if amount is None else amount),
            booked_at=booked_at,
            returned=returned,
            cause=(_text(detail, "{*}RtrInf/{*}Rsn/{*}Cd")[:_MAX_REFERENCE] or _NO_REASON) if returned else "",
        )


def _parse(data: bytes) -> _Element:
    if len(data) > MAX_BYTES:
        raise BadMessage(f"the message is larger than {MAX_BYTES} bytes")
    try:
        return parse_xml(data)
    except BrokenXml as error:
        raise BadMessage(f"the message is not valid XML ({error})") from error


def _text(node: _Element, path: str) -> str:
    return (node.findtext(path) or "").strip()


def _reference(text: str) -> str:
    if not 0 < len(text) <= _MAX_REFERENCE or not text.isprintable():
        raise BadMessage("a line has no reference of the bank")
    return text


def _amount(node: _Element | None) -> Decimal:
    """Return an amount of euros with two decimals."""
    if node is None or node.get("Ccy") != "EUR":
        raise BadMessage("a line has no amount in euros")
    try:
        amount = Decimal((node.text or "").strip())
        if not amount.is_finite() or not 0 < amount < 10**10:
            raise BadMessage("a line has an amount out of bounds")
        exact = amount.quantize(_CENT)
    except InvalidOperation as error:
        raise BadMessage("a line has an amount that is no number") from error
    if exact != amount:
        raise BadMessage("a line has an amount of less than a cent")
    return exact


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadMessage("a line has no day of booking") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
