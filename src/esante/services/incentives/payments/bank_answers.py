"""The bank's answers: pain.002 (status of orders) and camt.054 (booked lines); of any version with these elements."""

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from lxml import etree
from lxml.etree import _Element

from esante.services.incentives.payments.model import BankAnswer

MAX_BYTES = 8 * 1024 * 1024
_PAIN, _CAMT = "{urn:iso:std:iso:20022:tech:xsd:pain.002.", "{urn:iso:std:iso:20022:tech:xsd:camt.054."
_LONGEST_REFERENCE = 35
_PAID, _REJECTED = ("ACSC", "ACCC"), "RJCT"


class BadAnswer(ValueError):
    """A file that is no answer of the bank; the text says why."""


def read_answers(data: bytes) -> list[BankAnswer]:
    """Return what a pain.002 or camt.054 says of orders that are paid or rejected. Raises: BadAnswer."""
    if len(data) > MAX_BYTES:
        raise BadAnswer(f"the file is larger than {MAX_BYTES} bytes")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise BadAnswer("the file is not well-formed XML") from error
    if root.getroottree().docinfo.doctype:
        raise BadAnswer("the file has a document type")
    if str(root.tag).startswith(_PAIN):
        return [*_statuses(root)]
    if str(root.tag).startswith(_CAMT):
        return [*_booked(root)]
    raise BadAnswer("the file is neither a pain.002 nor a camt.054")


def _statuses(root: _Element) -> Iterator[BankAnswer]:
    message_id = _text(root, ".//{*}OrgnlGrpInfAndSts/{*}OrgnlMsgId")
    for one in root.iterfind(".//{*}TxInfAndSts"):
        status, id_ = _text(one, "{*}TxSts"), _text(one, "{*}OrgnlEndToEndId")
        if status in _PAID or status == _REJECTED:
            cause = _text(one, "{*}StsRsnInf/{*}Rsn/{*}Cd")[:35]
            yield BankAnswer(id_, status in _PAID, cause, message_id=message_id)


def _booked(root: _Element) -> Iterator[BankAnswer]:
    """Yield a paid order for each booked debit, a rejected one for what came back."""
    for entry in root.iterfind(".//{*}Ntfctn/{*}Ntry"):
        if (_text(entry, "{*}Sts/{*}Cd") or _text(entry, "{*}Sts")) != "BOOK":
            continue
        paid = _text(entry, "{*}CdtDbtInd") == "DBIT"
        for detail in entry.iterfind("{*}NtryDtls/{*}TxDtls"):
            amount = detail.find("{*}Amt")
            reference = _text(detail, "{*}Refs/{*}AcctSvcrRef") or _text(entry, "{*}AcctSvcrRef")
            if not 0 < len(reference) <= _LONGEST_REFERENCE:
                raise BadAnswer("a line has no reference of the bank")
            yield BankAnswer(
                end_to_end_id=_text(detail, "{*}Refs/{*}EndToEndId"),
                paid=paid,
                cause="" if paid else _text(detail, "{*}RtrInf/{*}Rsn/{*}Cd")[:35] or "RETURNED",
                amount=_euros(entry.find("{*}Amt") if amount is None else amount),
                reference=reference,
            )


def _euros(node: _Element | None) -> Decimal:
    try:
        amount = Decimal((node.text or "").strip()) if node is not None and node.get("Ccy") == "EUR" else None
    except InvalidOperation:
        amount = None
    if amount is None or not amount.is_finite() or not 0 < amount < 10**10:
        raise BadAnswer("a line has no amount in euros")
    return amount


def _text(node: _Element, path: str) -> str:
    return (node.findtext(path) or "").strip()
