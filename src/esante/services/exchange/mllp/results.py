"""Results (ORU^R01) as documents of the record: a laboratory report of OBR and OBX, and PDFs as they are."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from esante.core.storage import NIL
from esante.core.web import Problem
from esante.identity.access import Requester
from esante.identity.directory import Directory
from esante.services.exchange.hospital.patients import Patients
from esante.services.exchange.mllp.hl7v2.er7 import Message, Segment
from esante.services.exchange.mllp.laboratory_report import LOINC_SYSTEMS, REPORT_TYPE, Order, write_report
from esante.services.exchange.mllp.model import Code, Fault
from esante.services.exchange.mllp.patients import PatientOfMessage, find_patient, read_patient, unknown_patient
from esante.services.record import Deposit, DepositItem, Record, category_of_type

MAX_ORDERS, MAX_OBSERVATIONS = 100, 2_000
_FHIR, _PDF = "application/fhir+json", "application/pdf"
_NOT_KEPT = frozenset({"ED", "RP"})


@dataclass(frozen=True, slots=True)
class _Found:
    """A document in a message: bytes, media type, LOINC type, title, number of the order, day."""

    content: bytes
    media_type: str
    type: str
    title: str
    number: tuple[str, str] | None
    order: Order


class Results:
    """Takes ORU messages."""

    def __init__(self, record: Record, directory: Directory, patients: Patients) -> None:
        self._record, self._directory, self._patients = record, directory, patients

    async def take(self, requester: Requester, message: Message) -> None:
        """Deposit the documents of a message, all or none. Raises: `Fault`, and `Problem` as `Record.deposit_all`."""
        if message.header.text(9, 2) != "R01":
            text = "This event is not taken."
            raise Fault(Code.EVENT, "MSH^1^9^1^2", text, "Send ORU^R01.", is_rejected=True)
        pid = message.required("PID")
        patient = read_patient(pid)
        found = _documents(requester, message, _orders(message, requester), patient)
        person = await find_patient(self._directory, self._patients, requester, patient)
        person_id = person.id if person else NIL
        items = [await self._item(requester, person_id, one, patient) for one in found]
        try:
            await self._record.deposit_all(requester, person_id, items)
        except Problem as problem:
            if person is None and problem.status == 409:
                raise unknown_patient() from problem
            raise

    async def _item(
        self, requester: Requester, person_id: UUID, found: _Found, patient: PatientOfMessage
    ) -> DepositItem:
        meta = Deposit(
            type="" if found.media_type == _FHIR else found.type,
            title=found.title,
            media_type=found.media_type,
            event_date=None,
            identifiers=(found.number,) if found.number else (),
            patients=(patient.demographics,),
        )
        replaced = await self._before(requester, person_id, found) if found.number else None
        return DepositItem(content=found.content, meta=meta, replaces=replaced)

    async def _before(self, requester: Requester, person_id: UUID, found: _Found) -> UUID | None:
        """Return the current document of an order that this one corrects, None for none, and for the same bytes."""
        page = await self._record.timeline(
            requester,
            person_id,
            limit=1,
            matching=lambda one: (
                found.number in one.identifiers
                and one.depositor_id == requester.id
                and one.media_type == found.media_type
            ),
        )
        known = page.documents[0] if page.documents else None
        return known.id if known and known.sha256 != sha256(found.content).digest() else None


def _orders(message: Message, requester: Requester) -> list[Order]:
    """Return the orders of a message with their observations. Raises: `Fault`."""
    orders: list[Order] = []
    for segment in message.segments:
        if segment.name == "OBR":
            orders.append(Order(segment, _number(segment, requester), [], []))
        elif segment.name in ("OBX", "NTE") and orders:
            (orders[-1].observations if segment.name == "OBX" else orders[-1].notes).append(segment)
    if not orders or not any(one.observations for one in orders):
        raise Fault(Code.REQUIRED, "OBX", "There is no result.", "Send OBR with OBX.")
    if len(orders) > MAX_ORDERS or sum(len(one.observations) for one in orders) > MAX_OBSERVATIONS:
        remedy = f"Send at most {MAX_ORDERS} OBR and {MAX_OBSERVATIONS:,} OBX."
        raise Fault(Code.DATA_TYPE, "OBX", "There are too many results.", remedy)
    return orders


def _number(obr: Segment, requester: Requester) -> tuple[str, str] | None:
    """Return the number of an order by who fills it (OBR-3), as an identifier of its document."""
    value, oid = obr.text(3), obr.text(3, 3)
    if not value:
        return None
    system = f"urn:oid:{oid}" if oid[:1].isdigit() else f"urn:oid:2.25.{requester.id.int}"
    return system, value


def _documents(
    requester: Requester, message: Message, orders: Sequence[Order], patient: PatientOfMessage
) -> list[_Found]:
    found = []
    for order in orders:
        for obx in order.observations:
            if obx.text(2) == "ED":
                title = obx.text(3, 2) or order.obr.text(4, 2) or "Report"
                found.append(_Found(_embedded(obx), _PDF, _type(order.obr), title, order.number, order))
            elif obx.text(2) == "RP":
                remedy = "Send the document itself, as ED."
                raise Fault(Code.VALUE, obx.place(2), "Documents elsewhere are not fetched.", remedy)
    coded = [
        Order(one.obr, one.number, [obx for obx in one.observations if obx.text(2) not in _NOT_KEPT], one.notes)
        for one in orders
    ]
    coded = [one for one in coded if one.observations]
    if coded:
        content = write_report(message, coded, patient, requester)
        title = coded[0].obr.text(4, 2) or "Laboratory report"
        found.append(_Found(content, _FHIR, REPORT_TYPE, title, coded[0].number, coded[0]))
    return found


def _embedded(obx: Segment) -> bytes:
    """Return the PDF of an OBX of type ED (source, type, subtype, encoding, data). Raises: `Fault`."""
    kind, encoding = f"{obx.text(5, 2)}/{obx.text(5, 3)}".lower(), obx.text(5, 4).lower()
    if "pdf" not in kind or encoding != "base64":
        remedy = "Send application, pdf, Base64 and the data in OBX-5."
        raise Fault(Code.VALUE, obx.place(5), "Only PDFs in base64 are taken.", remedy)
    components = obx.raw(5).split(obx.separators.component)
    data = "".join(components[4].split()) if len(components) > 4 else ""
    try:
        content = base64.b64decode(obx.value(data), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Fault(Code.DATA_TYPE, obx.place(5, 5), "This is no base64.", "Encode the PDF in base64.") from error
    if not content.startswith(b"%PDF-"):
        raise Fault(Code.DATA_TYPE, obx.place(5, 5), "This is no PDF.", "Send a PDF.")
    return content


def _type(obr: Segment) -> str:
    """Return the type of a document: the LOINC code of its order, where the record has such documents."""
    for code, system in ((1, 3), (4, 6)):
        if obr.text(4, system) in LOINC_SYSTEMS and category_of_type(obr.text(4, code)):
            return obr.text(4, code)
    return REPORT_TYPE
