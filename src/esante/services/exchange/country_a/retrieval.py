"""Hands out documents (XCA, ITI-39)."""

from esante.core.storage import Row
from esante.core.time_zone import today
from esante.core.xds import (
    DocumentRequest,
    RegistryError,
    Retrieved,
    RetrievedDocument,
    read_requests,
    write_retrieved,
)
from esante.services.exchange.assertions.model import Cause, Refused
from esante.services.exchange.audit import Side, loss_rows
from esante.services.exchange.connector import Fetched, Form, NationalConnector, offers_on
from esante.services.exchange.country_a.authentication import Authentication
from esante.services.exchange.country_a.faults import TOO_MANY, error_of
from esante.services.exchange.country_a.limits import RequestLimits
from esante.services.exchange.country_a.model import Answered, Asking, Incoming

ACTION = "urn:ihe:iti:2007:CrossGatewayRetrieveResponse"
_MISSING = "XDSMissingDocument"
_NO_DOCUMENT = "ERROR_GENERIC_DOCUMENT_MISSING : There is no such document that can be sent."
_MIME_TYPE = "text/xml"


class Retrievals:
    """The transaction over a national connector. `home`: the OID of this contact point, and of its repository."""

    def __init__(
        self, authentication: Authentication, limits: RequestLimits, connector: NationalConnector, home: str
    ) -> None:
        self._authentication, self._limits, self._connector, self._home = authentication, limits, connector, home

    async def answer(self, incoming: Incoming) -> Answered:
        """Return the answer, with the documents as attachments. Raises: `Malformed`.

        The connector receives the classes that the assertions allow and finds documents of these only: the answer is
        the same for a document of another class and for none.
        """
        requests = read_requests(incoming.content)
        offers = [one for one in offers_on(today()) if one.class_code in incoming.point.asks]
        try:
            asking, patient = self._authentication.treat(
                incoming, list(dict.fromkeys(one.act for one in offers)), None
            )
        except Refused as refused:
            return _fail(error_of(refused))
        classes = [one.class_code for one in offers if self._authentication.allows(incoming, asking, one.act)]
        if not classes:
            return _fail(RegistryError(Cause.RIGHTS.value, "Nothing of this may be asked for."), asking)
        documents: list[RetrievedDocument] = []
        errors: list[RegistryError] = []
        last, found_classes, rows = Fetched(), list[str](), list[Row]()
        for request in requests:
            if not await self._limits.admit(asking.requester, incoming.point.country, patient, is_search=False):
                errors.append(TOO_MANY)
                break
            if (error := self._fault_of(request)) is not None:
                errors.append(error)
                continue
            last = await self._connector.fetch(asking.requester, patient, request.unique_id, classes)
            if last.offer is not None:
                found_classes.append(last.offer.class_code)
            if last.content is None:
                errors.append(_error(last, request))
                continue
            if last.translation is not None:
                rows += loss_rows(Side.ANSWERED, incoming.point.country, last.translation)
            documents.append(
                RetrievedDocument(
                    f"urn:oid:{self._home}", request.repository_id, request.unique_id, _MIME_TYPE, last.content
                )
            )
        content, attachments = write_retrieved(Retrieved(documents, errors))
        return Answered(
            content=content,
            attachments=attachments,
            outcome=errors[0].code if errors else "",
            class_code="|".join(dict.fromkeys(found_classes)),
            patient=patient,
            person_id=last.person_id,
            verdict=last.verdict,
            documents=[one.unique_id for one in documents],
            asking=asking,
            rows=rows,
        )

    def _fault_of(self, request: DocumentRequest) -> RegistryError | None:
        """Return why a request is not looked up, whatever it asks for."""
        if request.home and request.home.removeprefix("urn:oid:") != self._home:
            return RegistryError("XDSUnknownCommunity", "This is another home community.", request.unique_id)
        if request.unique_id.endswith(f"^{Form.BUNDLE}"):
            return RegistryError(_MISSING, _NO_DOCUMENT, request.unique_id)
        if request.repository_id != self._home:
            return RegistryError("XDSUnknownRepositoryId", "This is another repository.", request.unique_id)
        return None


def _error(found: Fetched, request: DocumentRequest) -> RegistryError:
    if found.fault:
        return RegistryError(found.fault, "The document cannot be sent in this form.", request.unique_id)
    return RegistryError(_MISSING, _NO_DOCUMENT, request.unique_id)


def _fail(error: RegistryError, asking: Asking | None = None) -> Answered:
    content, _ = write_retrieved(Retrieved([], [error]))
    return Answered(content=content, outcome=error.code, asking=asking)
