"""The endpoints of XDS.b, PIXv3 and PDQv3: SOAP 1.2 over HTTP, for the systems of hospitals."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from lxml import etree
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from esante.core.dated_data import packaged_text
from esante.core.soap import (
    MEDIA_TYPE,
    Malformed,
    Message,
    Package,
    answer_message,
    soap_response,
    write_fault,
    write_message,
)
from esante.core.web import LargeBodyQueue, Problem, origin_of, translator
from esante.core.xds import (
    LCM,
    XDSB,
    RegistryError,
    read_query,
    read_requests,
    registry_response,
    write_listing,
    write_retrieved,
)
from esante.identity.access import Requester
from esante.services.exchange.hl7v3 import discovery
from esante.services.exchange.hl7v3.identifiers import (
    ACKNOWLEDGEMENT,
    ADDED,
    IDENTIFIER_ANSWER,
    IDENTIFIER_QUERY,
    MERGED,
    REVISED,
    read_feed,
    read_identifier_query,
    write_acknowledgement,
    write_identifier_answer,
)
from esante.services.exchange.hospital.identification import Identification
from esante.services.exchange.hospital.provide import Recipient
from esante.services.exchange.hospital.registry import Registry
from esante.services.exchange.hospital.repository import Repository
from esante.services.exchange.hospital.users.callers import Callers
from esante.services.record import MAX_CONTENT

PATH = "/api/xds"
MAX_REQUEST = 1024 * 1024
MAX_PROVIDED = 4 * MAX_CONTENT // 3 + 4 * 1024 * 1024
"""Bytes of a request, and of one with documents in base64."""
_QUERY = "{urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0}AdhocQueryRequest"
_RETRIEVE = f"{{{XDSB}}}RetrieveDocumentSetRequest"
_PROVIDE = f"{{{XDSB}}}ProvideAndRegisterDocumentSetRequest"
_REGISTER = f"{{{LCM}}}SubmitObjectsRequest"
_NOT_REGISTERED = (
    "Documents are kept here with their bytes: provide them with ITI-41. Nothing that is elsewhere is registered."
)

Work = Callable[[Requester, Message, Package], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class _Act:
    """What a message asks for: the resource and letters (SMART v2) that a token needs, and who does it."""

    resource: str
    letters: str
    work: Work


class HospitalEndpoints:
    """The endpoints, over what answers each transaction; `base_url` is the address of the platform."""

    def __init__(
        self,
        callers: Callers,
        registry: Registry,
        repository: Repository,
        recipient: Recipient,
        identification: Identification,
        bodies: LargeBodyQueue,
        base_url: str,
    ) -> None:
        self._callers, self._bodies, self._base_url = callers, bodies, base_url
        self._registry, self._repository, self._recipient = registry, repository, recipient
        self._identification = identification

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        feed = _Act("Patient", "u", self._take_feed)
        patients = {f"{{urn:hl7-org:v3}}{name}": feed for name in (ADDED, REVISED, MERGED)}
        patients[f"{{urn:hl7-org:v3}}{IDENTIFIER_QUERY}"] = _Act("Patient", "s", self._identifiers)
        patients[f"{{urn:hl7-org:v3}}{discovery.QUERY}"] = _Act("Patient", "s", self._demographics)
        registry = {
            _QUERY: _Act("DocumentReference", "s", self._query),
            _REGISTER: _Act("DocumentReference", "c", self._register),
        }
        repository = {
            _RETRIEVE: _Act("DocumentReference", "r", self._retrieve),
            _PROVIDE: _Act("DocumentReference", "c", self._provide),
        }
        return [
            Route(PATH, self.describe, methods=["GET"]),
            Route(f"{PATH}/registry", self._endpoint(registry, MAX_REQUEST), methods=["POST"]),
            Route(f"{PATH}/repository", self._endpoint(repository, MAX_PROVIDED), methods=["POST"]),
            Route(f"{PATH}/patients", self._endpoint(patients, MAX_REQUEST), methods=["POST"]),
        ]

    async def describe(self, request: Request) -> Response:
        """Return the WSDL."""
        text = packaged_text("esante.services.exchange", "xds.wsdl").replace("{address}", self._base_url + PATH)
        return Response(text, media_type="application/xml")

    def _endpoint(self, acts: Mapping[str, _Act], limit: int) -> Callable[[Request], Awaitable[Response]]:
        """Return an endpoint that answers one of some messages; what is wrong is a fault."""

        async def endpoint(request: Request) -> Response:
            async def work(message: Message, package: Package) -> Response:
                act = acts.get(str(message.content.tag))
                if act is None:
                    names = ", ".join(etree.QName(name).localname for name in acts)
                    raise Malformed(f"Body: one of {names} is needed")
                requester = await self._callers.caller(request, message, act.resource, act.letters)
                return await act.work(requester, message, package)

            try:
                return await answer_message(request, self._bodies, limit, origin_of(request), work)
            except Problem as problem:
                return Response(write_fault(_in_words(problem)), problem.status, problem.headers, MEDIA_TYPE)

        return endpoint

    async def _query(self, requester: Requester, message: Message, package: Package) -> Response:
        """Answer ITI-18."""
        found = await self._registry.query(requester, read_query(message.content))
        return _answer("urn:ihe:iti:2007:RegistryStoredQueryResponse", message, write_listing(found), package)

    async def _register(self, requester: Requester, message: Message, package: Package) -> Response:
        """Refuse ITI-42."""
        content = registry_response([RegistryError("XDSRegistryError", _NOT_REGISTERED)])
        return _answer("urn:ihe:iti:2007:RegisterDocumentSet-bResponse", message, content, package)

    async def _retrieve(self, requester: Requester, message: Message, package: Package) -> Response:
        """Answer ITI-43, as MTOM where it was asked so, else inline."""
        found = await self._repository.retrieve(requester, read_requests(message.content))
        content, attachments = write_retrieved(found, inline=not package.is_mtom)
        root = write_message("urn:ihe:iti:2007:RetrieveDocumentSetResponse", message.message_id, content)
        return soap_response(root, attachments, is_mtom=package.is_mtom)

    async def _provide(self, requester: Requester, message: Message, package: Package) -> Response:
        """Answer ITI-41."""
        content = await self._recipient.provide(requester, message.content, package)
        return _answer("urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-bResponse", message, content, package)

    async def _demographics(self, requester: Requester, message: Message, package: Package) -> Response:
        """Answer ITI-47."""
        found = await self._identification.demographics(requester, discovery.read_query(message.content))
        return _answer(f"urn:hl7-org:v3:{discovery.ANSWER}", message, discovery.write_answer(found), package)

    async def _identifiers(self, requester: Requester, message: Message, package: Package) -> Response:
        """Answer ITI-45."""
        query = read_identifier_query(message.content)
        ids, refusal = await self._identification.identifiers(requester, query)
        content = write_identifier_answer(query, ids, refusal, query.receiver)
        return _answer(f"urn:hl7-org:v3:{IDENTIFIER_ANSWER}", message, content, package)

    async def _take_feed(self, requester: Requester, message: Message, package: Package) -> Response:
        """Answer ITI-44."""
        feed = read_feed(message.content)
        content = write_acknowledgement(feed, await self._identification.take(requester, feed))
        return _answer(f"urn:hl7-org:v3:{ACKNOWLEDGEMENT}", message, content, package)


def _answer(action: str, message: Message, content: etree._Element, package: Package) -> Response:
    return soap_response(write_message(action, message.message_id, content), is_mtom=package.is_mtom)


def _in_words(problem: Problem) -> str:
    """Return what is wrong, where, and what helps."""
    gettext = translator("en").gettext
    remedy = gettext(problem.remedy) if problem.remedy else ""
    return " ".join(filter(None, (gettext(problem.title), problem.place, problem.detail, remedy)))
