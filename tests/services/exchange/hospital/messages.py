"""Messages of XDS.b as hospital systems write them, made apart from the code under test."""

import base64
import hashlib
from uuid import uuid4

from lxml import etree

SOAP = "http://www.w3.org/2003/05/soap-envelope"
RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
XDSB = "urn:ihe:iti:xds-b:2007"
LOINC = "2.16.840.1.113883.6.1"
SUCCESS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"
FAILURE = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Failure"
PARTIAL = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"
APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
DEPRECATED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated"
HAS_MEMBER = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
RPLC = "urn:ihe:iti:2007:AssociationType:RPLC"
FIND_DOCUMENTS = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"
SOAP_XML = {"Content-Type": "application/soap+xml"}


def envelope(body: str, header: str = "", message_id: str = "") -> bytes:
    """Return an envelope of SOAP 1.2 around a body."""
    name = message_id or uuid4().urn
    message_id = f'<w:MessageID xmlns:w="http://www.w3.org/2005/08/addressing">{name}</w:MessageID>'
    return (
        f'<s:Envelope xmlns:s="{SOAP}"><s:Header>{message_id}{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>'
    ).encode()


def v3_message(kind: str, inner: str) -> str:
    """Return a message of HL7 v3 of a kind."""
    return (
        f'<{kind} xmlns="urn:hl7-org:v3" ITSVersion="XML_1.0"><id root="1.2.3" extension="{uuid4().hex}"/>'
        '<receiver typeCode="RCV"><device><id root="1.1.1"/></device></receiver>'
        '<sender typeCode="SND"><device><id root="1.1.2"/></device></sender>'
        f"<controlActProcess>{inner}</controlActProcess></{kind}>"
    )


def demographics(parameters: str) -> str:
    """Return a query for persons (ITI-47) by some parameters."""
    query = f'<queryByParameter><queryId root="1.2.4" extension="8"/><parameterList>{parameters}</parameterList>'
    return v3_message("PRPA_IN201305UV02", f"{query}</queryByParameter>")


def adhoc_query(query_id: str, parameters: dict[str, str], kind: str = "LeafClass") -> str:
    """Return a stored query; parameters with their values as they are written, quotes included."""
    slots = "".join(
        f'<Slot name="{name}"><ValueList><Value>{value.replace("&", "&amp;")}</Value></ValueList></Slot>'
        for name, value in parameters.items()
    )
    return (
        f'<q:AdhocQueryRequest xmlns:q="urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0">'
        f'<q:ResponseOption returnType="{kind}" returnComposedObjects="true"/>'
        f'<AdhocQuery xmlns="{RIM}" id="{query_id}">{slots}</AdhocQuery></q:AdhocQueryRequest>'
    )


def find_documents(cx: str, status: str = APPROVED, **more: str) -> str:
    """Return the query for the documents of a patient."""
    entry = "$XDSDocumentEntry"
    given = {f"{entry}{name}": value for name, value in more.items()}
    return adhoc_query(FIND_DOCUMENTS, {f"{entry}PatientId": f"'{cx}'", f"{entry}Status": f"('{status}')"} | given)


def retrieve(*pairs: tuple[str, str]) -> str:
    """Return the request for documents: repository and unique id of each."""
    requests = "".join(
        f"<DocumentRequest><RepositoryUniqueId>{repository}</RepositoryUniqueId>"
        f"<DocumentUniqueId>{unique_id}</DocumentUniqueId></DocumentRequest>"
        for repository, unique_id in pairs
    )
    return f'<RetrieveDocumentSetRequest xmlns="{XDSB}">{requests}</RetrieveDocumentSetRequest>'


def new_oid() -> str:
    """Return an OID that nobody has."""
    return f"2.25.{uuid4().int}"


def _slot(name: str, *values: str) -> str:
    inner = "".join(f"<Value>{value.replace('&', '&amp;')}</Value>" for value in values)
    return f'<Slot name="{name}"><ValueList>{inner}</ValueList></Slot>'


def _code(uuid: str, scheme: str, code: str, system: str) -> str:
    return (
        f'<Classification classificationScheme="{scheme}" classifiedObject="{uuid}" nodeRepresentation="{code}"'
        f' id="{uuid4().urn}">{_slot("codingScheme", system)}'
        f'<Name><LocalizedString value="{code}"/></Name></Classification>'
    )


def _identifier(uuid: str, scheme: str, name: str, value: str) -> str:
    return (
        f'<ExternalIdentifier registryObject="{uuid}" identificationScheme="{scheme}"'
        f' value="{value.replace("&", "&amp;")}" id="{uuid4().urn}">'
        f'<Name><LocalizedString value="{name}"/></Name></ExternalIdentifier>'
    )


def document_entry(cx: str, content: bytes, **fields: object) -> str:
    """Return the ExtrinsicObject of a document; `fields` replace what it says."""
    said: dict = {
        "id": "Document01", "unique_id": new_oid(), "mime": "text/plain", "type": "51852-2", "system": LOINC,
        "sha1": hashlib.sha1(content).hexdigest(), "size": len(content), "confidentiality": "N",
        "confidentiality_system": "2.16.840.1.113883.5.25", "title": "Letter", "author": "", "info": (),
        "created": "20260131120000",
    } | fields  # fmt: skip
    uuid = said["id"]
    author = (
        f'<Classification classificationScheme="urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d"'
        f' classifiedObject="{uuid}" nodeRepresentation="" id="{uuid4().urn}">{_slot("authorPerson", said["author"])}'
        f"</Classification>"
        if said["author"]
        else ""
    )
    return (
        f'<ExtrinsicObject xmlns="{RIM}" id="{uuid}" mimeType="{said["mime"]}"'
        f' objectType="urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1">'
        + _slot("creationTime", said["created"]) + _slot("languageCode", "fr-LU") + _slot("sourcePatientId", cx)
        + (_slot("hash", said["sha1"]) if said["sha1"] else "")
        + (_slot("size", str(said["size"])) if said["size"] is not None else "")
        + (_slot("sourcePatientInfo", *said["info"]) if said["info"] else "")
        + f'<Name><LocalizedString value="{said["title"]}"/></Name>' + author
        + _code(uuid, "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a", said["type"], said["system"])
        + _code(uuid, "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983", said["type"], said["system"])
        + _code(uuid, "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d", "urn:ihe:iti:xds:2017:mimeTypeSufficient",
                "1.3.6.1.4.1.19376.1.2.3")
        + _code(uuid, "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f", said["confidentiality"],
                said["confidentiality_system"])
        + _identifier(uuid, "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427", "XDSDocumentEntry.patientId", cx)
        + _identifier(uuid, "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab", "XDSDocumentEntry.uniqueId",
                      said["unique_id"])
        + "</ExtrinsicObject>"
    )  # fmt: skip


def association(kind: str, source: str, target: str) -> str:
    """Return an Association."""
    return (
        f'<Association xmlns="{RIM}" associationType="{kind}" sourceObject="{source}" targetObject="{target}"'
        f' id="{uuid4().urn}"/>'
    )


def submission_set(cx: str, unique_id: str = "", node: str = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd") -> str:
    """Return the RegistryPackage of a submission set."""
    return (
        f'<RegistryPackage xmlns="{RIM}" id="SubmissionSet01">' + _slot("submissionTime", "20260131120000")
        + _code("SubmissionSet01", "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500", "11502-2", LOINC)
        + _identifier("SubmissionSet01", "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446", "XDSSubmissionSet.patientId",
                      cx)
        + _identifier("SubmissionSet01", "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8", "XDSSubmissionSet.uniqueId",
                      unique_id or new_oid())
        + _identifier("SubmissionSet01", "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832", "XDSSubmissionSet.sourceId",
                      "1.2.3.4")
        + f'</RegistryPackage><Classification xmlns="{RIM}" classifiedObject="SubmissionSet01" id="{uuid4().urn}"'
        f' classificationNode="{node}"/>'
    )  # fmt: skip


def provide(
    set_: str, documents: list[tuple[str, bytes]], associations: str = "", ids: list[str] | None = None
) -> str:
    """Return the request of ITI-41 with documents inline; `ids`: those of their entries."""

    names = ids or [f"Document{number:02}" for number in range(1, len(documents) + 1)]
    members = "".join(association(HAS_MEMBER, "SubmissionSet01", name) for name in names)
    contents = "".join(
        f'<x:Document id="{name}">{base64.b64encode(content).decode()}</x:Document>'
        for name, (_, content) in zip(names, documents, strict=True)
    )
    return (
        f'<x:ProvideAndRegisterDocumentSetRequest xmlns:x="{XDSB}">'
        f'<l:SubmitObjectsRequest xmlns:l="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0">'
        f'<r:RegistryObjectList xmlns:r="{RIM}">{"".join(entry for entry, _ in documents)}{set_}{members}{associations}'
        f"</r:RegistryObjectList></l:SubmitObjectsRequest>{contents}</x:ProvideAndRegisterDocumentSetRequest>"
    )


def cx_of(person) -> str:
    """Return the identifier by which a person without a matricule is named."""
    from tests.services.exchange.hospital.conftest import COMMUNITY

    return f"{person.id.hex}^^^&{COMMUNITY}&ISO"


def body_of(response) -> etree._Element:
    """Return the element in the body of a response."""
    assert response.status_code == 200, response.text
    return etree.fromstring(response.content).find(f"{{{SOAP}}}Body")[0]


def errors_of(element: etree._Element) -> list[str]:
    """Return the codes of errors in an answer."""
    return [one.get("errorCode") for one in element.iter("{urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0}RegistryError")]


def entries_of(element: etree._Element) -> list[etree._Element]:
    """Return the documents in an answer."""
    return list(element.iter(f"{{{RIM}}}ExtrinsicObject"))


def unique_id_of(entry: etree._Element) -> str:
    """Return the unique id of a document in an answer."""
    scheme = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
    [found] = [
        one.get("value")
        for one in entry.iter(f"{{{RIM}}}ExternalIdentifier")
        if one.get("identificationScheme") == scheme
    ]
    return found


def slot(entry: etree._Element, name: str) -> str:
    """Return the value of a slot of a document in an answer."""
    [value] = [
        value.text
        for one in entry.findall(f"{{{RIM}}}Slot")
        if one.get("name") == name
        for value in one.iter(f"{{{RIM}}}Value")
    ]
    return value
