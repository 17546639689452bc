"""Takes dispensations and what takes them back (XDR, ITI-41)."""

import hashlib

from lxml import etree

from esante.core.soap import Malformed
from esante.core.xds import XDSB, DocumentEntry, RegistryError, read_submission, registry_response
from esante.services.exchange.assertions.model import Cause, Refused
from esante.services.exchange.assertions.rules import Act
from esante.services.exchange.connector import Dispensation, NationalConnector
from esante.services.exchange.connector.dispensation import read_dispensation
from esante.services.exchange.connector.offers import DISCARD, DISPENSATION, PRESCRIPTION
from esante.services.exchange.country_a.authentication import Authentication
from esante.services.exchange.country_a.faults import CLASS_CODE, TOO_MANY, error_of
from esante.services.exchange.country_a.limits import RequestLimits
from esante.services.exchange.country_a.model import Answered, Asking, Incoming
from esante.services.exchange.model import NotUsable

ACTION = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-bResponse"
NOT_IDENTIFIABLE = "ERROR_ED_EPRESCRIPTION_NOT_IDENTIFIABLE"
_ACTS = {DISPENSATION: Act.DISPENSE, DISCARD: Act.DISCARD}
_DOCUMENT = f"{{{XDSB}}}Document"


class Submissions:
    """The transaction over a national connector."""

    def __init__(self, authentication: Authentication, limits: RequestLimits, connector: NationalConnector) -> None:
        self._authentication, self._limits, self._connector = authentication, limits, connector

    async def answer(self, incoming: Incoming) -> Answered:
        """Return the answer, with the rows that make a dispensation taken. Raises: `Malformed`."""
        entry, content = _read(incoming)
        class_code, patient = entry.class_code.code, entry.patient_id
        act = _ACTS.get(class_code, Act.DISPENSE)
        try:
            asking, _ = self._authentication.treat(incoming, [act], patient)
        except Refused as refused:
            return _fail(error_of(refused), class_code)
        if not await self._limits.admit(asking.requester, incoming.point.country, patient, is_search=False):
            return _fail(TOO_MANY, class_code, asking)
        if class_code not in _ACTS or not incoming.point.asks & {DISPENSATION, PRESCRIPTION}:
            return _fail(RegistryError(CLASS_CODE, "This class of documents is not taken."), class_code, asking)
        found = _dispensation(entry, content, patient)
        if isinstance(found, RegistryError):
            return _fail(found, class_code, asking)
        call = self._connector.submit if act is Act.DISPENSE else self._connector.discard
        done = await call(asking.requester, patient, found)
        errors = [RegistryError(done.outcome, "It is not taken.", found.document_id)] if done.outcome else []
        return Answered(
            content=registry_response(errors),
            outcome=done.outcome,
            class_code=class_code,
            patient=patient,
            person_id=done.person_id,
            verdict=done.verdict,
            documents=[found.document_id],
            asking=asking,
            rows=done.rows,
        )


def _read(incoming: Incoming) -> tuple[DocumentEntry, bytes]:
    """Return the one document of a submission and its bytes. Raises: `Malformed`."""
    submission = read_submission(incoming.content)
    if len(submission.documents) != 1:
        raise Malformed(f"ExtrinsicObject: one document is needed, there are {len(submission.documents)}")
    entry = submission.documents[0]
    holders: list[etree._Element] = incoming.content.findall(_DOCUMENT)
    if len(holders) != 1 or holders[0].get("id") != entry.entry_uuid:
        raise Malformed("Document: the bytes of the one document are needed")
    return entry, incoming.package.bytes_of(holders[0])


def _dispensation(entry: DocumentEntry, content: bytes, patient: str) -> Dispensation | RegistryError:
    """Return the dispensation of a document, or why it is refused, whoever it is about."""
    if entry.sha1 and entry.sha1.lower() != hashlib.sha1(content, usedforsecurity=False).hexdigest():
        return RegistryError(Cause.INTEGRITY.value, "The hash of the document differs from its bytes.")
    try:
        found = read_dispensation(content)
    except NotUsable as error:
        return RegistryError(NOT_IDENTIFIABLE, str(error.faults[0])[:300])
    if patient not in found.patients:
        return RegistryError(Cause.OTHER_PATIENT.value, "The document is about another patient.")
    return found


def _fail(error: RegistryError, class_code: str, asking: Asking | None = None) -> Answered:
    return Answered(content=registry_response([error]), outcome=error.code, class_code=class_code, asking=asking)
