"""Audit messages of the exchange (DICOM PS3.15, A.5; IHE ITI-20), in the vocabulary of MyHealth@EU. Pure."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from lxml import etree

from esante.core.journal import Entry
from esante.services.exchange.audit.model import MessageExchanged, Side
from esante.services.exchange.contact_points.model import Transaction

_QUERY, _EXPORT, _IMPORT = ("110112", "Query"), ("110106", "Export"), ("110107", "Import")
_SUMMARY, _ORDERS = "60591-5", ("57833-6",)
_SERVICES: Mapping[Transaction, tuple[str, str, str]] = {
    Transaction.DISCOVERY: ("EHDSI-11", "EHDSI-11", "EHDSI-11"),
    Transaction.LIST: ("EHDSI-21", "EHDSI-31", "EHDSI-61"),
    Transaction.RETRIEVE: ("EHDSI-22", "EHDSI-32", "EHDSI-62"),
    Transaction.SUBMIT: ("EHDSI-41", "EHDSI-41", "EHDSI-41"),
}
"""Codes of services by transaction: for patient summaries, prescriptions, original clinical documents."""
_DISCARD = "DISCARD-60593-1"
_FAILURE, _SUCCESS = "8", "0"
"""EventOutcomeIndicator: a serious failure, success."""


@dataclass(frozen=True, slots=True)
class Parties:
    """Who exchanges: subjects of the certificates and addresses of this contact point and of the other one."""

    own_subject: str
    own_address: str
    other_subject: str
    other_address: str
    source: str
    """The country of this contact point."""


def audit_message(entry: Entry, parties: Parties) -> bytes:
    """Return the audit message of the journal entry of a `MessageExchanged`."""
    done: MessageExchanged = entry.event
    root = etree.Element("AuditMessage")
    _add_event(root, entry, done)
    is_asking = done.side == Side.ASKED
    consumer = (
        (parties.own_subject, parties.own_address) if is_asking else (parties.other_subject, parties.other_address)
    )
    provider = (
        (parties.other_subject, parties.other_address) if is_asking else (parties.own_subject, parties.own_address)
    )
    _add_person(root, entry, done)
    _add_system(root, *consumer, "ServiceConsumer", ("110153", "Source Role ID"), is_requestor=True)
    _add_system(root, *provider, "ServiceProvider", ("110152", "Destination Role ID"), is_requestor=False)
    source = etree.SubElement(root, "AuditSourceIdentification", AuditSourceID=f"{parties.source}-1")
    source.set("AuditEnterpriseSiteID", f"{parties.source}-1")
    _code(source, "AuditSourceTypeCode", "4", "DCM", "Application server process")
    if done.patient:
        patient = _object(root, done.patient, "1", "1")
        _code(patient, "ParticipantObjectIDTypeCode", "2", "RFC-3881", "Patient Number")
    for name, value, display in (
        ("req", done.message_id, "Request Message"),
        ("rsp", done.answer_id, "Response Message"),
    ):
        if value:
            message = _object(root, value, "4", "")
            _code(message, "ParticipantObjectIDTypeCode", name, "eHealth DSI Msg", display)
    for document in done.documents:
        found = _object(root, document, "2", "3")
        _code(found, "ParticipantObjectIDTypeCode", "9", "RFC-3881", "Report Number")
    if done.outcome:
        failed = _object(root, done.message_id, "2", "3")
        _code(failed, "ParticipantObjectIDTypeCode", "errormsg", "eHealth DSI Error", "Error")
        detail = etree.SubElement(failed, "ParticipantObjectDetail", type="errormsg")
        detail.set("value", base64.b64encode(done.outcome.encode()).decode("ascii"))
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")


def _add_event(root: etree._Element, entry: Entry, done: MessageExchanged) -> None:
    outcome = _FAILURE if done.outcome else _SUCCESS
    event = etree.SubElement(root, "EventIdentification", EventActionCode="E", EventOutcomeIndicator=outcome)
    event.set("EventDateTime", entry.at.isoformat())
    transaction = Transaction(done.transaction)
    number, name = _QUERY
    if transaction is Transaction.RETRIEVE and done.content == _SUMMARY:
        number, name = _IMPORT if done.side == Side.ASKED else _EXPORT
    _code(event, "EventID", number, "DCM", name)
    summary, order, original = _SERVICES[transaction]
    if done.content == _DISCARD:
        service = "EHDSI-42"
    else:
        service = summary if done.content in ("", _SUMMARY) else order if done.content in _ORDERS else original
    _code(event, "EventTypeCode", transaction.value, "IHE Transactions", transaction.value)
    _code(event, "EventTypeCode", service, "eHealth DSI Transactions", service)


def _add_person(root: etree._Element, entry: Entry, done: MessageExchanged) -> None:
    """Add the point of care and the professional who asked."""
    if entry.actor.organization:
        care = _participant(root, entry.actor.organization, is_requestor=True)
        _code(care, "RoleIDCode", "healthcare", "eHealth DSI", "Point of care")
    name = f"{entry.actor.name}<{entry.actor.id or ''}@{done.country if done.side == Side.ANSWERED else ''}>"
    person = _participant(root, name, is_requestor=True)
    person.set("UserName", entry.actor.name)
    _code(person, "RoleIDCode", done.role or "unknown", "ISCO", entry.actor.role or done.role or "unknown")


def _add_system(
    root: etree._Element, subject: str, address: str, role: str, code: tuple[str, str], *, is_requestor: bool
) -> None:
    system = _participant(root, subject, is_requestor=is_requestor)
    system.set("NetworkAccessPointID", address)
    system.set("NetworkAccessPointTypeCode", "1" if any(letter.isalpha() for letter in address) else "2")
    _code(system, "RoleIDCode", role, "eHealth DSI", role)
    _code(system, "RoleIDCode", code[0], "DCM", code[1])


def _participant(root: etree._Element, user_id: str, *, is_requestor: bool) -> etree._Element:
    return etree.SubElement(
        root, "ActiveParticipant", UserID=user_id, UserIsRequestor="true" if is_requestor else "false"
    )


def _object(root: etree._Element, key: str, kind: str, role: str) -> etree._Element:
    found = etree.SubElement(
        root, "ParticipantObjectIdentification", ParticipantObjectID=key, ParticipantObjectTypeCode=kind
    )
    if role:
        found.set("ParticipantObjectTypeCodeRole", role)
    return found


def _code(parent: etree._Element, name: str, code: str, system: str, display: str) -> None:
    element = etree.SubElement(parent, name, {"csd-code": code, "codeSystemName": system})
    element.set("displayName", display)
    element.set("originalText", display)
