"""Retrieval of documents (IHE ITI-43, ITI-39): requests and answers, content inline or attached."""

import base64
from collections.abc import Sequence
from typing import NamedTuple

from lxml import etree

from esante.core.soap import XOP, Attachment, Malformed, Package, attachment_of
from esante.core.xds.model import DocumentRequest, RegistryError, RetrievedDocument
from esante.core.xds.names import RS, XDSB
from esante.core.xds.response import read_errors, registry_response

REQUEST = f"{{{XDSB}}}RetrieveDocumentSetRequest"
RESPONSE = f"{{{XDSB}}}RetrieveDocumentSetResponse"
MAX_DOCUMENTS = 100


class Retrieved(NamedTuple):
    """What a repository answered."""

    documents: list[RetrievedDocument]
    errors: list[RegistryError]


def read_requests(content: etree._Element) -> list[DocumentRequest]:
    """Return the documents that a request asks for. Raises: `Malformed`."""
    if content.tag != REQUEST:
        raise Malformed("Body: RetrieveDocumentSetRequest is needed")
    found = content.findall(f"{{{XDSB}}}DocumentRequest")
    if not 0 < len(found) <= MAX_DOCUMENTS:
        raise Malformed(f"DocumentRequest: 1 to {MAX_DOCUMENTS} are needed, there are {len(found)}")
    requests = [
        DocumentRequest(
            one.findtext(f"{{{XDSB}}}HomeCommunityId", "").strip(),
            one.findtext(f"{{{XDSB}}}RepositoryUniqueId", "").strip(),
            one.findtext(f"{{{XDSB}}}DocumentUniqueId", "").strip(),
        )
        for one in found
    ]
    if not all(one.repository_id and one.unique_id for one in requests):
        raise Malformed("DocumentRequest: RepositoryUniqueId and DocumentUniqueId are needed")
    return requests


def write_requests(requests: Sequence[DocumentRequest]) -> etree._Element:
    """Return the request for documents."""
    root = etree.Element(REQUEST, nsmap={None: XDSB})
    for one in requests:
        holder = etree.SubElement(root, f"{{{XDSB}}}DocumentRequest")
        _add_names(holder, one.home, one.repository_id, one.unique_id)
    return root


def read_retrieved(content: etree._Element, package: Package) -> Retrieved:
    """Return the documents and errors of an answer. Raises: `Malformed`."""
    if content.tag != RESPONSE or content.find(f"{{{RS}}}RegistryResponse") is None:
        raise Malformed("Body: RetrieveDocumentSetResponse with RegistryResponse is needed")
    documents = []
    for one in content.findall(f"{{{XDSB}}}DocumentResponse"):
        holder = one.find(f"{{{XDSB}}}Document")
        if holder is None:
            raise Malformed("DocumentResponse: Document is missing")
        documents.append(
            RetrievedDocument(
                one.findtext(f"{{{XDSB}}}HomeCommunityId", "").strip(),
                one.findtext(f"{{{XDSB}}}RepositoryUniqueId", "").strip(),
                one.findtext(f"{{{XDSB}}}DocumentUniqueId", "").strip(),
                one.findtext(f"{{{XDSB}}}mimeType", "").strip(),
                package.bytes_of(holder),
            )
        )
    return Retrieved(documents, read_errors(content))


def write_retrieved(found: Retrieved, *, inline: bool = False) -> tuple[etree._Element, list[Attachment]]:
    """Return the answer with documents, and their content as attachments, or in the answer (`inline`)."""
    root = etree.Element(RESPONSE, nsmap={None: XDSB, "xop": XOP})
    root.append(registry_response(found.errors, is_partial=bool(found.documents)))
    attachments = []
    for number, one in enumerate(found.documents, 1):
        holder = etree.SubElement(root, f"{{{XDSB}}}DocumentResponse")
        _add_names(holder, one.home, one.repository_id, one.unique_id)
        etree.SubElement(holder, f"{{{XDSB}}}mimeType").text = one.mime_type
        name = f"{number}@esante"
        content = etree.SubElement(holder, f"{{{XDSB}}}Document")
        if inline:
            content.text = base64.b64encode(one.content).decode()
            continue
        etree.SubElement(content, f"{{{XOP}}}Include", href=f"cid:{name}")
        attachments.append(attachment_of(one.content, one.mime_type, name))
    return root, attachments


def _add_names(holder: etree._Element, home: str, repository_id: str, unique_id: str) -> None:
    names = {"HomeCommunityId": home, "RepositoryUniqueId": repository_id, "DocumentUniqueId": unique_id}
    for name, value in names.items():
        if value:
            etree.SubElement(holder, f"{{{XDSB}}}{name}").text = value
