"""Requests of XDS.b and their answers: envelopes, attachments, who asks."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

from lxml import etree

from esante.core.plain_xml import BrokenXml, parse_xml
from esante.core.soap import (
    MEDIA_TYPE,
    WSA,
    Attachment,
    Malformed,
    Message,
    Package,
    parse_message,
    read_fault,
    read_package,
    related_type,
    write_package,
    write_request,
)
from esante.core.xds import (
    DocumentRequest,
    Listing,
    RegistryError,
    Retrieved,
    StoredQuery,
    read_errors,
    read_listing,
    read_retrieved,
    write_query,
    write_requests,
)
from esante.services.conformance.kits.checks import expect, expect_status
from esante.services.conformance.kits.model import Fault, NotApplicable
from esante.services.conformance.kits.session import Reply, Session

_IHE = "urn:ihe:iti:2007"
QUERY, PROVIDE = f"{_IHE}:RegistryStoredQuery", f"{_IHE}:ProvideAndRegisterDocumentSet-b"
RETRIEVE = f"{_IHE}:RetrieveDocumentSet"
ENTRY, SUBMISSION_SET = "$XDSDocumentEntry", "$XDSSubmissionSet"
_BOUNDARY = "boundary-of-the-kit"


@dataclass(frozen=True, slots=True)
class SoapAnswer:
    """An answer: its message, its attachments, and the MessageID of the request."""

    message: Message
    package: Package
    asked: str

    @property
    def action(self) -> str:
        """The action of the answer (WS-Addressing), "" without one."""
        header = self.message.header
        return "" if header is None else header.findtext(f"{{{WSA}}}Action", "").strip()


def assertion_of(session: Session) -> etree._Element:
    """Return the assertion about the user that the run was given, as XML or in base64. Raises: `NotApplicable`."""
    text = session.option("assertion").encode()
    try:
        return parse_xml(text if text.lstrip().startswith(b"<") else base64.b64decode(text))
    except (BrokenXml, ValueError) as error:
        raise NotApplicable(f"The option assertion is no XML, and no base64 of it: {error}.") from error


async def post(
    session: Session,
    action: str,
    content: etree._Element,
    attachments: Sequence[Attachment] | None = None,
    *,
    authorization: bool = True,
    assertion: etree._Element | None = None,
) -> tuple[Reply, str]:
    """Send a request; return the answer and the MessageID. With attachments (or none of them) it goes as MTOM.

    The caller is known by the token of the run, or else by its assertion; without `authorization` by `assertion`
    only, or by nothing.
    """
    token = session.options.get("token", "") if authorization else ""
    if authorization and not token:
        assertion = assertion_of(session)
    path = session.options.get("registry") or "registry"
    if action != QUERY:
        path = session.options.get("repository") or "repository"
    message_id = uuid4().urn
    security = [] if assertion is None else [assertion]
    body, media = write_request(action, session.address_of(path), message_id, content, security), MEDIA_TYPE
    if attachments is not None:
        body = b"".join([bytes(piece) async for piece in write_package(body, attachments, _BOUNDARY)])
        media = related_type(_BOUNDARY)
    headers = {"Content-Type": media} | ({"Authorization": f"Bearer {token}"} if token else {})
    return await session.send("POST", path, content=body, headers=headers), message_id


def read_answer(reply: Reply, asked: str) -> SoapAnswer:
    """Return the message of an answer. Raises: `Fault` for a SOAP fault, and for what is no message."""
    expect_status(reply, 200, remedy="Answer a request that is understood with 200.")
    try:
        package = read_package(reply.body, reply.headers.get("content-type", ""))
        message = parse_message(package.root)
    except Malformed as error:
        raise Fault(f"The answer is no SOAP message: {error}.", "Answer with SOAP 1.2, plain or as MTOM.") from error
    fault = read_fault(message.content)
    if fault is not None:
        raise Fault(f"The answer is a fault: {fault[1][:300]}", "Answer a request that is right without a fault.")
    return SoapAnswer(message, package, asked)


def expect_refused(reply: Reply, remedy: str) -> None:
    """Raise `Fault` unless a request was refused: by a status of 4xx, or by a SOAP fault."""
    if 400 <= reply.status < 500:
        return
    try:
        fault = read_fault(parse_message(reply.body).content)
    except Malformed:
        fault = None
    expect(fault, f"The request is answered with the status {reply.status}, and without a fault.", remedy)


def stored_query(
    id_: str, parameters: Mapping[str, Sequence[str]], *, only_references: bool = False
) -> etree._Element:
    """Return the request with a stored query."""
    return write_query(StoredQuery(id_, {name: list(values) for name, values in parameters.items()}, only_references))


async def query(
    session: Session, id_: str, parameters: Mapping[str, Sequence[str]], *, only_references: bool = False
) -> tuple[Listing, SoapAnswer]:
    """Return what a stored query finds (ITI-18), errors included. Raises: `Fault`."""
    content = stored_query(id_, parameters, only_references=only_references)
    answer = read_answer(*await post(session, QUERY, content))
    try:
        return read_listing(answer.message.content), answer
    except Malformed as error:
        raise Fault(f"The answer is not understood: {error}.", "Answer with AdhocQueryResponse.") from error


async def retrieve(session: Session, *requests: DocumentRequest) -> tuple[Retrieved, SoapAnswer]:
    """Return documents (ITI-43), asked for as MTOM. Raises: `Fault`."""
    answer = read_answer(*await post(session, RETRIEVE, write_requests(requests), []))
    try:
        return read_retrieved(answer.message.content, answer.package), answer
    except Malformed as error:
        raise Fault(f"The answer is not understood: {error}.", "Answer with RetrieveDocumentSetResponse.") from error


def errors_in(answer: SoapAnswer) -> list[RegistryError]:
    """Return the errors of an answer, without warnings."""
    return [one for one in read_errors(answer.message.content) if not one.is_warning]


def status_in(answer: SoapAnswer) -> str:
    """Return the last part of the status of an answer, such as Success."""
    elements = [answer.message.content, *answer.message.content.iter("{*}RegistryResponse")]
    return next((one.get("status", "").rpartition(":")[2] for one in elements if one.get("status")), "")
