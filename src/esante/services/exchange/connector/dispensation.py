"""A dispensation from abroad (eD, or its discard) as it is read from CDA."""

import hashlib
from typing import Any

from esante.services.exchange.cda import V3, read_checked
from esante.services.exchange.connector.model import Dispensation
from esante.services.exchange.hl7v3.model import InstanceId
from esante.services.exchange.model import Fault, NotUsable

MAX_ID = 300
_REMEDY = "Send the id of the prescription in inFulfillmentOf and in the reference of each supply"


def read_dispensation(content: bytes) -> Dispensation:
    """Return the dispensation of a document. Raises: `NotUsable`.

    It names its prescription as the order that it fulfils, as that to which its supplies refer, and as the parent
    document (XFRM); a parent that is null, or the dispensation itself, as some countries send it, counts for nothing.
    Some countries name the document everywhere, others its items in the references: that all are of one prescription
    is for whoever has it to check.
    """
    root = read_checked(content)
    own = _id(root.find(f"{{{V3}}}id"))
    orders = _ids(root, "inFulfillmentOf/order/id")
    references = [
        _id(child)
        for holder in root.iter(f"{{{V3}}}entryRelationship")
        if holder.get("typeCode") == "REFR"
        for child in holder.findall(f"{{{V3}}}substanceAdministration/{{{V3}}}id")
    ]
    parents = [
        _id(child)
        for holder in root.findall(f"{{{V3}}}relatedDocument")
        if holder.get("typeCode") == "XFRM"
        for child in holder.findall(f"{{{V3}}}parentDocument/{{{V3}}}id")
    ]
    parents = [one for one in parents if one.root and not _is_same_document(one, own)]
    named = frozenset((*orders, *references, *parents))
    if not own.root or len(orders) != 1 or not references or not all(one.root for one in named):
        raise NotUsable(Fault("an id of the prescription is missing", "/ClinicalDocument", _REMEDY))
    document_id = f"{own.root}^{own.extension}"
    if len(document_id) > MAX_ID:
        raise NotUsable(
            Fault(f"the id has more than {MAX_ID} characters", "/ClinicalDocument/id", "Send a shorter one")
        )
    patients = [one.cx for one in _ids(root, "recordTarget/patientRole/id") if one.root and one.extension]
    return Dispensation(
        document_id=document_id,
        prescription=orders[0],
        named=named,
        patients=frozenset(patients),
        content=content,
        key=dispensation_key(document_id, orders[0]),
    )


def dispensation_key(document_id: str, prescription: InstanceId) -> bytes:
    """Return what makes a dispensation the same one: the hash of its document id and its prescription id."""
    text = "\0".join((document_id, prescription.root, prescription.extension))
    return hashlib.sha256(text.encode()).digest()


def _is_same_document(one: InstanceId, own: InstanceId) -> bool:
    return one == own or (one.extension == own.extension != "")


def _ids(root: Any, path: str) -> list[InstanceId]:
    return [_id(one) for one in root.findall("/".join(f"{{{V3}}}{step}" for step in path.split("/")))]


def _id(element: Any) -> InstanceId:
    return InstanceId(element.get("root", ""), element.get("extension", "")) if element is not None else InstanceId("")
