"""Submission sets, and what is submitted with them (IHE ITI-41, ITI-42; ITI TF-3, 4.2.1)."""

from collections.abc import Iterator, Mapping

from lxml import etree

from esante.core.soap import XOP, Malformed
from esante.core.storage import uuid7
from esante.core.xds.metadata import (
    MAX_DOCUMENTS,
    add_code,
    add_identifier,
    add_slot,
    add_text,
    identifier_of,
    read_associations,
    read_codes,
    read_documents,
    slot_values,
    text_of,
    write_association,
    write_document,
)
from esante.core.xds.model import Association, Submission, SubmissionSet
from esante.core.xds.names import (
    FOLDER,
    HAS_MEMBER,
    LCM,
    RIM,
    SUBMISSION_SET,
    SUBMISSION_SET_AUTHOR,
    SUBMISSION_SET_CONTENT_TYPE,
    SUBMISSION_SET_PATIENT_ID,
    SUBMISSION_SET_SOURCE_ID,
    SUBMISSION_SET_UNIQUE_ID,
    XDSB,
)

PROVIDE = f"{{{XDSB}}}ProvideAndRegisterDocumentSetRequest"
REGISTER = f"{{{LCM}}}SubmitObjectsRequest"
_PACKAGE = f"{{{RIM}}}RegistryPackage"
_IDENTIFIERS = {
    "patient_id": (SUBMISSION_SET_PATIENT_ID, "XDSSubmissionSet.patientId"),
    "unique_id": (SUBMISSION_SET_UNIQUE_ID, "XDSSubmissionSet.uniqueId"),
    "source_id": (SUBMISSION_SET_SOURCE_ID, "XDSSubmissionSet.sourceId"),
}


def read_submission(content: etree._Element) -> Submission:
    """Return what is submitted. Raises: `Malformed`, also for folders, which nobody here keeps."""
    nodes = {one.get("classifiedObject", ""): one.get("classificationNode", "") for one in _nodes(content)}
    packages = list(content.iter(_PACKAGE))
    sets = [one for one in packages if nodes.get(one.get("id", "")) == SUBMISSION_SET]
    if FOLDER in nodes.values() or len(packages) != len(sets):
        raise Malformed("RegistryPackage: submission sets are taken only, and no folders")
    if len(sets) != 1:
        raise Malformed(f"RegistryPackage: one submission set is needed, there are {len(sets)}")
    associations = read_associations(content)
    if len(associations) > MAX_DOCUMENTS:
        raise Malformed(f"Association: there are more than {MAX_DOCUMENTS:,}")
    return Submission(_read_set(sets[0]), read_documents(content), associations)


def write_submission(found: Submission, content_ids: Mapping[str, str]) -> etree._Element:
    """Return the request that submits documents (ITI-41); their bytes are attachments, by the UUID of the document."""
    root = etree.Element(PROVIDE, nsmap={None: XDSB, "rim": RIM, "xop": XOP})
    request = etree.SubElement(root, REGISTER, nsmap={"lcm": LCM})
    objects = etree.SubElement(request, f"{{{RIM}}}RegistryObjectList")
    objects.extend(map(write_document, found.documents))
    objects.append(write_submission_set(found.submission_set))
    for document in found.documents:
        member = write_association(Association(HAS_MEMBER, found.submission_set.entry_uuid, document.entry_uuid))
        add_slot(member, "SubmissionSetStatus", ["Original"])
        objects.append(member)
    for document in found.documents:
        holder = etree.SubElement(root, f"{{{XDSB}}}Document", id=document.entry_uuid)
        etree.SubElement(holder, f"{{{XOP}}}Include", href=f"cid:{content_ids[document.entry_uuid]}")
    return root


def read_submission_sets(root: etree._Element) -> list[SubmissionSet]:
    """Return the submission sets below an element."""
    return [_read_set(one) for one in root.iter(_PACKAGE)]


def write_submission_set(found: SubmissionSet) -> etree._Element:
    """Return the RegistryPackage of a submission set."""
    root = etree.Element(_PACKAGE, nsmap={None: RIM}, id=found.entry_uuid)
    for name, value in {"home": found.home, "status": found.status}.items():
        if value:
            root.set(name, value)
    add_slot(root, "submissionTime", [found.submitted] if found.submitted else [])
    add_text(root, "Name", found.title)
    node = etree.SubElement(root, f"{{{RIM}}}Classification", classifiedObject=found.entry_uuid, id=uuid7().urn)
    node.set("classificationNode", SUBMISSION_SET)
    if found.content_type:
        add_code(root, found.entry_uuid, SUBMISSION_SET_CONTENT_TYPE, found.content_type)
    if found.authors or found.institutions:
        author = etree.SubElement(root, f"{{{RIM}}}Classification", classifiedObject=found.entry_uuid, id=uuid7().urn)
        author.set("classificationScheme", SUBMISSION_SET_AUTHOR)
        author.set("nodeRepresentation", "")
        add_slot(author, "authorPerson", found.authors)
        add_slot(author, "authorInstitution", found.institutions)
    for name, (scheme, label) in _IDENTIFIERS.items():
        add_identifier(root, found.entry_uuid, scheme, label, getattr(found, name))
    return root


def _nodes(content: etree._Element) -> Iterator[etree._Element]:
    """Yield what classifies packages, beside them or in them."""
    for one in content.iter(f"{{{RIM}}}Classification"):
        if one.get("classificationNode"):
            yield one


def _read_set(root: etree._Element) -> SubmissionSet:
    authors = [
        one
        for one in root.findall(f"{{{RIM}}}Classification")
        if one.get("classificationScheme") == SUBMISSION_SET_AUTHOR
    ]
    return SubmissionSet(
        entry_uuid=root.get("id", ""),
        submitted=next(iter(slot_values(root, "submissionTime")), ""),
        title=text_of(root, "Name"),
        content_type=next(read_codes(root, SUBMISSION_SET_CONTENT_TYPE), None),
        status=root.get("status", ""),
        home=root.get("home", ""),
        authors=[person for one in authors for person in slot_values(one, "authorPerson")],
        institutions=[name for one in authors for name in slot_values(one, "authorInstitution")],
        **{name: identifier_of(root, scheme) for name, (scheme, _) in _IDENTIFIERS.items()},
    )
