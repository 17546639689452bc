"""The file of orders for the bank: SEPA credit transfers (ISO 20022 pain.001.001.09).

Source: EPC SEPA (Instant) Credit Transfer, customer-to-PSP implementation guidelines (service level SEPA, for instant
ones the local instrument INST). A file says the same whenever it is written again, and its ids let the bank execute
it once.
"""

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from lxml import etree
from lxml.etree import _Element

from esante.core.sepa.model import AccountHolder, CreditTransfer
from esante.core.time_zone import day_of

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
MAX_NAME, MAX_PURPOSE = 70, 140
_SEPA = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-?:().,'+ ")
"""The characters that every bank takes (EPC217-08, conversion to the Latin character set)."""
_SPELLED = {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "&": "+"}


def write_credit_transfers(
    debtor: AccountHolder, transfers: Sequence[CreditTransfer], *, message_id: str, at: datetime, instant: bool = False
) -> bytes:
    """Return the file with orders of a debtor, which the bank executes on the day of `at`.

    `instant`: within seconds (SEPA Instant), each order booked by itself.
    Raises: ValueError when there is no order, or one is not above zero.
    """
    if not transfers or any(one.amount <= 0 for one in transfers):
        raise ValueError("a payment file needs orders above zero")
    document = etree.Element(f"{{{NAMESPACE}}}Document", nsmap={None: NAMESPACE})
    file = etree.SubElement(document, f"{{{NAMESPACE}}}CstmrCdtTrfInitn")
    header = _add(file, "GrpHdr")
    _add(header, "MsgId", message_id)
    _add(header, "CreDtTm", f"{at:%Y-%m-%dT%H:%M:%SZ}")
    _add_sums(header, transfers)
    _add(_add(header, "InitgPty"), "Nm", sepa_text(debtor.name, MAX_NAME))
    information = _add(file, "PmtInf")
    _add(information, "PmtInfId", message_id)
    _add(information, "PmtMtd", "TRF")
    _add(information, "BtchBookg", "false" if instant else "true")
    _add_sums(information, transfers)
    kind = _add(information, "PmtTpInf")
    _add(_add(kind, "SvcLvl"), "Cd", "SEPA")
    if instant:
        _add(_add(kind, "LclInstrm"), "Cd", "INST")
    _add(_add(information, "ReqdExctnDt"), "Dt", day_of(at).isoformat())
    _add_party(information, "Dbtr", debtor)
    agent = _add(_add(information, "DbtrAgt"), "FinInstnId")
    _add(_add(agent, "Othr"), "Id", "NOTPROVIDED")
    _add(information, "ChrgBr", "SLEV")
    for one in transfers:
        _add_transfer(information, one)
    written: bytes = etree.tostring(document, xml_declaration=True, encoding="UTF-8")
    return written


def sepa_text(text: str, longest: int) -> str:
    """Return a text in the characters that every bank takes, at most `longest`; "-" when nothing is left."""
    spelled = "".join(_SPELLED.get(char, char) for char in text)
    plain = unicodedata.normalize("NFKD", spelled)
    kept = "".join(char if char in _SEPA else " " for char in plain if not unicodedata.combining(char))
    return " ".join(kept.split())[:longest].strip() or "-"


def _add_sums(parent: _Element, transfers: Sequence[CreditTransfer]) -> None:
    _add(parent, "NbOfTxs", str(len(transfers)))
    _add(parent, "CtrlSum", f"{sum((one.amount for one in transfers), Decimal(0)):.2f}")


def _add_transfer(information: _Element, one: CreditTransfer) -> None:
    transaction = _add(information, "CdtTrfTxInf")
    ids = _add(transaction, "PmtId")
    if one.instruction_id:
        _add(ids, "InstrId", one.instruction_id)
    _add(ids, "EndToEndId", one.end_to_end_id)
    _add(_add(transaction, "Amt"), "InstdAmt", f"{one.amount:.2f}").set("Ccy", "EUR")
    _add_party(transaction, "Cdtr", one.creditor)
    _add(_add(transaction, "RmtInf"), "Ustrd", sepa_text(one.purpose, MAX_PURPOSE))


def _add_party(parent: _Element, tag: str, party: AccountHolder) -> None:
    _add(_add(parent, tag), "Nm", sepa_text(party.name, MAX_NAME))
    _add(_add(_add(parent, f"{tag}Acct"), "Id"), "IBAN", party.iban)


def _add(parent: _Element, tag: str, text: str | None = None) -> _Element:
    child = etree.SubElement(parent, f"{{{NAMESPACE}}}{tag}")
    child.text = text
    return child
