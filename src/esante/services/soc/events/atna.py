"""IHE ATNA audit messages (DICOM PS3.15 A.5; before that RFC 3881): codes as `csd-code` or as `code`."""

from lxml import etree

from esante.core.plain_xml import BrokenXml, parse_xml
from esante.services.soc.events.audit_record import AuditedObject, AuditRecord, Participant
from esante.services.soc.events.schema import NotNormalized
from esante.services.soc.scalars import moment_of

MAX_BYTES = 4 << 20
_REMEDY = "send an AuditMessage as DICOM PS3.15 A.5 has it"


def read_atna(data: bytes) -> AuditRecord:
    """Return the audit record of a message. Raises: `NotNormalized`."""
    if len(data) > MAX_BYTES:
        raise NotNormalized(f"the audit message is larger than {MAX_BYTES >> 20} MiB", "send one message at a time")
    try:
        root = parse_xml(data)
    except BrokenXml as error:
        raise NotNormalized(f"the audit message is not valid XML ({error})", _REMEDY) from error
    if _local(root) != "AuditMessage":
        raise NotNormalized(f"the XML is no AuditMessage but {_local(root)[:60]}", _REMEDY)
    identification = next(iter(_children(root, "EventIdentification")), None)
    time = moment_of(identification.get("EventDateTime", "")) if identification is not None else None
    if identification is None or time is None:
        raise NotNormalized("the audit message has no EventIdentification with EventDateTime", _REMEDY)
    event_id = next(iter(_children(identification, "EventID")), None)
    source = next(iter(_children(root, "AuditSourceIdentification")), None)
    return AuditRecord(
        code=_code(event_id),
        name=_display(event_id),
        types=tuple(_code(one) for one in _children(identification, "EventTypeCode") if _code(one)),
        action=identification.get("EventActionCode", ""),
        time=time,
        outcome=identification.get("EventOutcomeIndicator", ""),
        participants=[_participant(one) for one in _children(root, "ActiveParticipant")],
        objects=[_object(one) for one in _children(root, "ParticipantObjectIdentification")],
        source=source.get("AuditSourceID", "") if source is not None else "",
        site=source.get("AuditEnterpriseSiteID", "") if source is not None else "",
        purposes=tuple(_code(one) for one in _children(identification, "PurposeOfUse")),
    )


def _participant(element: etree._Element) -> Participant:
    return Participant(
        uid=element.get("UserID", ""),
        name=element.get("UserName", ""),
        alternative=element.get("AlternativeUserID", ""),
        roles=tuple(_code(one) for one in _children(element, "RoleIDCode")),
        address=element.get("NetworkAccessPointID", ""),
        requestor=element.get("UserIsRequestor", "").lower() == "true",
    )


def _object(element: etree._Element) -> AuditedObject:
    name = next((one.text or "" for one in _children(element, "ParticipantObjectName")), "")
    id_type = next(iter(_children(element, "ParticipantObjectIDTypeCode")), None)
    return AuditedObject(
        uid=element.get("ParticipantObjectID", ""),
        name=name or element.get("ParticipantObjectName", ""),
        kind=element.get("ParticipantObjectTypeCode", ""),
        role=element.get("ParticipantObjectTypeCodeRole", ""),
        id_type=_code(id_type),
    )


def _children(element: etree._Element, name: str) -> list[etree._Element]:
    return [child for child in element if isinstance(child.tag, str) and _local(child) == name]


def _local(element: etree._Element) -> str:
    return str(etree.QName(element).localname)


def _code(element: etree._Element | None) -> str:
    return "" if element is None else str(element.get("csd-code") or element.get("code") or "")


def _display(element: etree._Element | None) -> str:
    return "" if element is None else str(element.get("originalText") or element.get("displayName") or "")
