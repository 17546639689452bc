"""The order to the bank: a SEPA instant credit transfer of one payment (ISO 20022 pain.001.001.09).

Source: EPC SEPA Instant Credit Transfer, customer-to-PSP implementation guidelines (service level SEPA, local
instrument INST). A message holds one order with the ids of the payment, so that the bank executes it once.
"""

import unicodedata
from dataclasses import dataclass

from lxml import etree
from lxml.etree import _Element

from esante.core.time_zone import day_of
from esante.services.billing.payment.model import Transfer

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
MAX_NAME = 70
_SEPA = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-?:().,'+ ")
"""The characters that every bank takes (EPC217-08, conversion to the Latin character set)."""
_SPELLED = {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "&": "+"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Debtor:
    """The account from which professionals are paid: that of the health insurance."""

    iban: str
    name: str


def credit_transfer(transfer: Transfer, debtor: Debtor) -> bytes:
    """Return the order for a transfer; the same one for the same attempt, whenever it is written."""
    document = etree.Element(f"{{{NAMESPACE}}}Document", nsmap={None: NAMESPACE})
    order = etree.SubElement(document, f"{{{NAMESPACE}}}CstmrCdtTrfInitn")
    amount, message_id = f"{transfer.amount:.2f}", transfer.message_id
    header = _add(order, "GrpHdr")
    _add(header, "MsgId", message_id)
    _add(header, "CreDtTm", f"{transfer.asked_at:%Y-%m-%dT%H:%M:%SZ}")
    _add(header, "NbOfTxs", "1")
    _add(header, "CtrlSum", amount)
    _add(_add(header, "InitgPty"), "Nm", sepa_text(debtor.name, MAX_NAME))
    information = _add(order, "PmtInf")
    _add(information, "PmtInfId", message_id)
    _add(information, "PmtMtd", "TRF")
    _add(information, "NbOfTxs", "1")
    _add(information, "CtrlSum", amount)
    kind = _add(information, "PmtTpInf")
    _add(_add(kind, "SvcLvl"), "Cd", "SEPA")
    _add(_add(kind, "LclInstrm"), "Cd", "INST")
    _add(_add(information, "ReqdExctnDt"), "Dt", day_of(transfer.asked_at).isoformat())
    _add_party(information, "Dbtr", debtor.name, debtor.iban)
    agent = _add(_add(information, "DbtrAgt"), "FinInstnId")
    _add(_add(agent, "Othr"), "Id", "NOTPROVIDED")
    _add(information, "ChrgBr", "SLEV")
    _add_transaction(information, transfer, amount)
    written: bytes = etree.tostring(document, xml_declaration=True, encoding="UTF-8")
    return written


def sepa_text(text: str, longest: int) -> str:
    """Return a text in the characters that every bank takes, at most `longest`; "-" when nothing is left."""
    spelled = "".join(_SPELLED.get(char, char) for char in text)
    plain = unicodedata.normalize("NFKD", spelled)
    kept = "".join(char if char in _SEPA else " " for char in plain if not unicodedata.combining(char))
    return " ".join(kept.split())[:longest].strip() or "-"


def _add_transaction(information: _Element, transfer: Transfer, amount: str) -> None:
    transaction = _add(information, "CdtTrfTxInf")
    ids = _add(transaction, "PmtId")
    _add(ids, "InstrId", transfer.message_id)
    _add(ids, "EndToEndId", transfer.payment_id.hex)
    _add(_add(transaction, "Amt"), "InstdAmt", amount).set("Ccy", "EUR")
    _add_party(transaction, "Cdtr", transfer.name, transfer.iban)
    _add(_add(transaction, "RmtInf"), "Ustrd", f"PID {transfer.note_id}")


def _add_party(parent: _Element, tag: str, name: str, iban: str) -> None:
    _add(_add(parent, tag), "Nm", sepa_text(name, MAX_NAME))
    _add(_add(_add(parent, f"{tag}Acct"), "Id"), "IBAN", iban)


def _add(parent: _Element, tag: str, text: str | None = None) -> _Element:
    child = etree.SubElement(parent, f"{{{NAMESPACE}}}{tag}")
    child.text = text
    return child
