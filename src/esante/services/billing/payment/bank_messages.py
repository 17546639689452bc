"""What the bank says: the status of an order (ISO 20022 pain.002) and the lines of its statement (camt.054).

Every version is read that has the elements used here (pain.002.001.10 and camt.054.001.08 are the present ones).
Messages come from outside: their size is bounded, and a document type is refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from uuid import UUID

from lxml import etree
from lxml.etree import _Element

from esante.services.billing.payment.model import BankLine, LineFault

MAX_BYTES = 4 * 1024 * 1024
_MAX_REFERENCE = 35
_PAIN, _CAMT = "urn:iso:std:iso:20022:tech:xsd:pain.002.", "urn:iso:std:iso:20022:tech:xsd:camt.054."
_PAID = {"ACSC", "ACCC"}
"""Settled on the account of the payer, or of the payee."""
_REFUSED = {"RJCT"}
_DUPLICATES = {"AM05", "DU01", "DU02", "DU03", "DU04", "DU05"}
"""Reasons that say that the bank has the order already: no answer to whether it paid."""
_CENT = Decimal("0.01")


class BadMessage(ValueError):
    """A message of the bank that cannot be read; the text says why, without its content."""


class Outcome(StrEnum):
    """What is known of an order."""

    PAID = "paid"
    REJECTED = "rejected"
    OPEN = "open"
    """The bank has the order, or gave no answer: what became of it is not known."""
    NOT_KNOWN = "not_known"
    """The bank says that it does not have the order."""


@dataclass(frozen=True, slots=True)
class Report:
    """What the bank says of an order; `cause`: its reason code for a refusal."""

    outcome: Outcome
    cause: str = ""


def read_status(data: bytes, message_id: str) -> Report:
    """Return what a pain.002 says of an order. Raises: BadMessage for another message, or one about another order."""
    root = _parse(data, _PAIN)
    if _text(root, ".//{*}OrgnlGrpInfAndSts/{*}OrgnlMsgId") != message_id:
        raise BadMessage("the status is about another order")
    status = _text(root, ".//{*}TxInfAndSts/{*}TxSts") or _text(root, ".//{*}OrgnlPmtInfAndSts/{*}PmtInfSts")
    status = status or _text(root, ".//{*}OrgnlGrpInfAndSts/{*}GrpSts")
    reason = _text(root, ".//{*}StsRsnInf/{*}Rsn/{*}Cd") or _text(root, ".//{*}StsRsnInf/{*}Rsn/{*}Prtry")
    if status in _PAID:
        return Report(Outcome.PAID)
    if status in _REFUSED and reason not in _DUPLICATES:
        return Report(Outcome.REJECTED, reason[:_MAX_REFERENCE] or "NARR")
    return Report(Outcome.OPEN)


def read_lines(data: bytes) -> list[BankLine]:
    """Return the booked lines of a camt.054, in its order. Raises: BadMessage."""
    root = _parse(data, _CAMT)
    return [line for entry in root.iterfind(".//{*}Ntfctn/{*}Ntry") for line in _entry_lines(entry)]


def _entry_lines(entry: _Element) -> Iterator[BankLine]:
    """Yield a line for each transaction of an entry."""
    status = _text(entry, "{*}Sts/{*}Cd") or _text(entry, "{*}Sts")
    if status != "BOOK":
        return
    booked_at = _moment(_text(entry, "{*}BookgDt/{*}DtTm") or _text(entry, "{*}BookgDt/{*}Dt"))
    reference, credit = _text(entry, "{*}AcctSvcrRef"), _text(entry, "{*}CdtDbtInd") == "CRDT"
    details = entry.findall("{*}NtryDtls/{*}TxDtls") or [entry]
    for detail in details:
        own = _text(detail, "{*}Refs/{*}AcctSvcrRef") or reference
        end_to_end = _text(detail, "{*}Refs/{*}EndToEndId")
        amount = detail.find("{*}Amt")
        yield BankLine(
            reference=_reference(own),
            end_to_end_id=end_to_end[:_MAX_REFERENCE],
            payment_id=_uuid(end_to_end),
            amount=_amount(entry.find("{*}Amt") if amount is None else amount),
            booked_at=booked_at,
            fault=LineFault.RETURNED.value if credit else "",
        )


def _parse(data: bytes, namespace: str) -> _Element:
    """Return the root of a message whose namespace begins with `namespace`."""
    if len(data) > MAX_BYTES:
        raise BadMessage(f"the message is larger than {MAX_BYTES} bytes")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise BadMessage("the message is not well-formed XML") from error
    if root.getroottree().docinfo.doctype:
        raise BadMessage("the message has a document type")
    if not str(root.tag).startswith(f"{{{namespace}"):
        raise BadMessage("the message is of another kind")
    return root


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
        if not amount.is_finite() or not 0 < amount < 10**9:
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


def _uuid(text: str) -> UUID | None:
    """Return the payment that an end-to-end id names; None for an id that is not one of ours."""
    try:
        return UUID(hex=text) if len(text) == 32 else None
    except ValueError:
        return None
