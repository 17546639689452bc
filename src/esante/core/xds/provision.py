"""Submission of documents with their metadata (IHE ITI-41): the request with one document, and its answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

from esante.core.soap import XOP, Malformed
from esante.core.storage import uuid7
from esante.core.xds.metadata import write_document
from esante.core.xds.model import Coded, DocumentEntry, RegistryError
from esante.core.xds.names import APPROVED, HAS_MEMBER, LCM, RIM, RS, XDSB
from esante.core.xds.response import read_errors

REQUEST = f"{{{XDSB}}}ProvideAndRegisterDocumentSetRequest"
RESPONSE = f"{{{RS}}}RegistryResponse"
_SUBMISSION_SET = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
_AUTHOR = "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d"
_CONTENT_TYPE = "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500"
_UNIQUE_ID = "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8"
_PATIENT_ID = "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446"
_SOURCE_ID = "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provision:
    """A document to submit: its metadata, the identifier and the moment (DTM) of the submission, its source (an OID).

    `content_id`: of the attachment with its bytes.
    """

    entry: DocumentEntry
    submission_id: str
    submitted: str
    source_id: str
    content_id: str


def write_provision(found: Provision) -> etree._Element:
    """Return the request that submits a document, whose bytes are an attachment."""
    entry = found.entry
    root = etree.Element(REQUEST, nsmap={None: XDSB, "rim": RIM, "lcm": LCM, "xop": XOP})
    objects = etree.SubElement(
        etree.SubElement(root, f"{{{LCM}}}SubmitObjectsRequest"), f"{{{RIM}}}RegistryObjectList"
    )
    objects.append(write_document(entry))
    package = etree.SubElement(objects, f"{{{RIM}}}RegistryPackage", id=uuid7().urn, status=APPROVED)
    name = package.get("id", "")
    _add_slot(package, "submissionTime", [found.submitted])
    _add_author(package, name, entry)
    _add_code(package, name, entry.class_code)
    for scheme, label, value in (
        (_UNIQUE_ID, "XDSSubmissionSet.uniqueId", found.submission_id),
        (_PATIENT_ID, "XDSSubmissionSet.patientId", entry.patient_id),
        (_SOURCE_ID, "XDSSubmissionSet.sourceId", found.source_id),
    ):
        identifier = etree.SubElement(
            package, f"{{{RIM}}}ExternalIdentifier", identificationScheme=scheme, value=value, registryObject=name
        )
        identifier.set("id", uuid7().urn)
        _add_name(identifier, label)
    node = etree.SubElement(objects, f"{{{RIM}}}Classification", classificationNode=_SUBMISSION_SET)
    node.set("classifiedObject", name)
    node.set("id", uuid7().urn)
    member = etree.SubElement(objects, f"{{{RIM}}}Association", associationType=HAS_MEMBER, sourceObject=name)
    member.set("targetObject", entry.entry_uuid)
    member.set("id", uuid7().urn)
    _add_slot(member, "SubmissionSetStatus", ["Original"])
    document = etree.SubElement(root, f"{{{XDSB}}}Document", id=entry.entry_uuid)
    etree.SubElement(document, f"{{{XOP}}}Include", href=f"cid:{found.content_id}")
    return root


def read_response(content: etree._Element) -> tuple[bool, Sequence[RegistryError]]:
    """Return whether a submission succeeded, and the errors and warnings. Raises: `Malformed`."""
    status = content.get("status", "").rpartition(":")[2]
    if content.tag != RESPONSE or status not in ("Success", "Failure"):
        raise Malformed("Body: RegistryResponse with Success or Failure is needed")
    return status == "Success", read_errors(content)


def _add_author(package: etree._Element, name: str, entry: DocumentEntry) -> None:
    author = etree.SubElement(package, f"{{{RIM}}}Classification", classificationScheme=_AUTHOR, classifiedObject=name)
    author.set("id", uuid7().urn)
    author.set("nodeRepresentation", "")
    _add_slot(author, "authorInstitution", entry.institutions)
    _add_slot(author, "authorPerson", entry.authors)


def _add_code(package: etree._Element, name: str, coded: Coded) -> None:
    holder = etree.SubElement(
        package, f"{{{RIM}}}Classification", classificationScheme=_CONTENT_TYPE, classifiedObject=name
    )
    holder.set("id", uuid7().urn)
    holder.set("nodeRepresentation", coded.code)
    _add_slot(holder, "codingScheme", [coded.system])
    _add_name(holder, coded.display or coded.code)


def _add_slot(parent: etree._Element, name: str, values: Sequence[str]) -> None:
    if values:
        holder = etree.SubElement(etree.SubElement(parent, f"{{{RIM}}}Slot", name=name), f"{{{RIM}}}ValueList")
        for value in values:
            etree.SubElement(holder, f"{{{RIM}}}Value").text = value


def _add_name(parent: etree._Element, text: str) -> None:
    etree.SubElement(etree.SubElement(parent, f"{{{RIM}}}Name"), f"{{{RIM}}}LocalizedString", value=text)
