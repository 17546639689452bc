"""Asks a contact point what an encounter waits for, and keeps the answer as a step, with its audit."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asyncpg import UniqueViolationError
from lxml import etree

from esante.core import clock
from esante.core.soap import Malformed, attachment_of
from esante.core.storage import Database, Row, uuid7
from esante.core.time_zone import today
from esante.services.exchange.assertions.rules import Act as Right
from esante.services.exchange.assertions.rules import rules_on
from esante.services.exchange.audit import AuditTrail, Exchanged, Side, loss_rows
from esante.services.exchange.contact_points import ContactPoint, ContactPoints, NotConfigured, Transaction
from esante.services.exchange.contact_points.terms import terms_on
from esante.services.exchange.country_b import encounter_store as store
from esante.services.exchange.country_b import fhir_messages, messages
from esante.services.exchange.country_b.errors import INTEGRITY, MAX_TEXT, NO_ACKNOWLEDGEMENT, NO_CONNECTION
from esante.services.exchange.country_b.gateway import Fault, Gateway, NoReply, Reply, Request, write_message
from esante.services.exchange.country_b.messages import Wrong
from esante.services.exchange.country_b.model import (
    DISCARD,
    DISPENSATION,
    ORIGINALS,
    PRESCRIPTION,
    SUMMARY,
    Act,
    AnyStep,
    Encounter,
    Found,
    Listed,
    Outcome,
    Retrieved,
    Settled,
    Taken,
)
from esante.services.exchange.country_b.professionals import Asking
from esante.services.exchange.country_b.readable import OfAnother, as_cda, check_patient
from esante.services.exchange.fhir_api.client import FhirClient, NotAnswered, Sent
from esante.services.exchange.model import NotUsable
from esante.services.exchange.terminology import CodeCatalogue, sample_catalogue
from esante.services.exchange.translation import translate

_TRANSACTIONS = {
    Act.IDENTIFY: Transaction.DISCOVERY,
    Act.LIST: Transaction.LIST,
    Act.RETRIEVE: Transaction.RETRIEVE,
    Act.SUBMIT: Transaction.SUBMIT,
}
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked: the body of the message, how its answer is read, a document that goes with it.

    `content`: the class of documents that it is about, "" for a discovery. `fail`: the step of an answer that is
    missing or cannot be used.
    """

    body: etree._Element
    read: Callable[[Reply], tuple[AnyStep, bytes]]
    fail: Callable[[NoReply], AnyStep]
    right: Right
    content: str = ""
    documents: Sequence[str] = ()
    attachment: bytes = b""


@dataclass(frozen=True, slots=True)
class _Sent:
    """What was sent and came back, and the step that it makes."""

    step: AnyStep
    document: bytes
    message_id: str
    answer_id: str
    request: bytes
    answer: bytes


class Asker:
    """Sends what encounters wait for, each once; the answer is kept in one transaction with its audit."""

    def __init__(
        self,
        db: Database,
        points: ContactPoints,
        trail: AuditTrail,
        gateway: Gateway,
        catalogue: Callable[[], CodeCatalogue] = sample_catalogue,
    ) -> None:
        self._db, self._points, self._trail, self._gateway = db, points, trail, gateway
        self._catalogue = catalogue

    async def ask(self, who: Asking, encounter: Encounter, point: ContactPoint) -> None:
        """Ask what the encounter waits for, and keep the answer, or that there is none."""
        assert encounter.waiting is not None
        act, began_at = encounter.waiting.act, clock.now()
        question = await self._question(who, encounter, point)
        is_fhir = act in (Act.LIST, Act.RETRIEVE) and question.content in ORIGINALS and bool(point.fhir_url)
        ask = self._over_fhir if is_fhir else self._over_soap
        try:
            sent = await ask(who, encounter, point, question, began_at)
        except NotConfigured as error:
            failed = NoReply("ERROR_GENERIC_CONNECTION_NOT_POSSIBLE", str(error), reached=False)
            sent = _Sent(question.fail(failed), b"", uuid7().urn, "", b"", b"")
        exchanged = Exchanged(
            side=Side.ASKED,
            transaction=_TRANSACTIONS[act],
            content=question.content,
            country=encounter.country,
            initiator=who.requester,
            patient=encounter.patient.cx if encounter.patient else "",
            role=who.role,
            purpose=encounter.purpose or "TREATMENT",
            message_id=sent.message_id,
            answer_id=sent.answer_id,
            request=sent.request,
            answer=sent.answer,
            outcome=_audited(sent.step),
            documents=question.documents,
            began_at=began_at,
            ended_at=clock.now(),
        )
        losses = await asyncio.to_thread(self._losses, encounter.country, sent.document)
        await self._keep(exchanged, encounter, sent.step, sent.document, losses)

    async def _over_soap(
        self, who: Asking, encounter: Encounter, point: ContactPoint, question: _Question, at: datetime
    ) -> _Sent:
        """Send a question as a SOAP message."""
        assert encounter.waiting is not None
        transaction = _TRANSACTIONS[encounter.waiting.act]
        request, reply = Request(uuid7().urn, b"", ""), None
        try:
            url = point.endpoints.get(transaction)
            if url is None:
                raise NoReply("ERROR_GENERIC_SERVICE_SIGNIFIER_UNKNOWN", "the service is not offered", reached=False)
            attachment = (
                attachment_of(question.attachment, "text/xml", messages.CONTENT_ID) if question.attachment else None
            )
            security = [*self._assertions(who, encounter, question.right, at).values()]
            request = await write_message(transaction, url, question.body, security, attachment)
            reply = await self._gateway.send(point, url, request)
            step, document = _read(question, reply)
            return _Sent(step, document, request.message_id, reply.message_id, request.data, reply.data)
        except (NoReply, NotConfigured) as problem:
            error = problem if isinstance(problem, NoReply) else _not_sent(problem)
            answer_id = reply.message_id if reply else ""
            return _Sent(question.fail(error), b"", request.message_id, answer_id, request.data, error.data)

    async def _over_fhir(
        self, who: Asking, encounter: Encounter, point: ContactPoint, question: _Question, at: datetime
    ) -> _Sent:
        """Ask for a list or a document over FHIR."""
        assert encounter.patient is not None and encounter.waiting is not None
        patient, about = encounter.patient, encounter.waiting.about
        client = FhirClient(self._points.client_context, self._points.own.issuer)
        assertions = self._assertions(who, encounter, question.right, at)
        sent = Sent(uuid7().urn)
        try:
            if encounter.waiting.act is Act.LIST:
                system, value = fhir_messages.identifier_of(patient)
                answer = await client.list_documents(point, assertions, system, value, about)
                sent, document = answer.sent, b""
                step: AnyStep = fhir_messages.read_list(answer.resource, about, patient, point)
            else:
                answer = await client.fetch(point, assertions, about)
                listed = encounter.document(about)
                assert listed is not None
                sent, document = answer.sent, answer.sent.data
                step = fhir_messages.read_document(answer.resource, listed)
                await asyncio.to_thread(check_patient, document, patient)
        except NotAnswered as error:
            sent, document = error.sent, b""
            step = question.fail(NoReply(error.code, error.reason, reached=bool(sent.request), data=sent.data))
        except (Wrong, OfAnother, NotUsable) as error:
            document = b""
            reason = error.faults[0].message if isinstance(error, NotUsable) else str(error)
            step = question.fail(NoReply(INTEGRITY, reason, reached=True, data=sent.data))
        return _Sent(step, document, sent.message_id, "", sent.request, sent.data)

    def _losses(self, country: str, document: bytes) -> list[Row]:
        """Return the codes that the translation of a received document leaves, as rows."""
        if not document:
            return []
        try:
            translation = translate(as_cda(document), terms_on(today()).languages[0], self._catalogue())
        except NotUsable:
            return []
        return loss_rows(Side.ASKED, country, translation)

    async def _keep(
        self, exchanged: Exchanged, encounter: Encounter, step: AnyStep, document: bytes, further: Sequence[Row]
    ) -> None:
        """Keep an answer as the next step, wherever the encounter is by now."""
        count = encounter.count
        for attempt in range(_ATTEMPTS):
            row = store.step_row(encounter.id, Taken(number=count + 1, at=exchanged.ended_at, step=step), document)
            try:
                await self._trail.record(exchanged, [row, *further])
                return
            except UniqueViolationError:
                present = await store.fetch(self._db, encounter.id)
                if present is None or attempt == _ATTEMPTS - 1:
                    raise
                count = present.count

    def _assertions(self, who: Asking, encounter: Encounter, right: Right, at: datetime) -> dict[str, etree._Element]:
        """Return the assertions of a message by kind: the professional's, and the treatment's once it is confirmed."""
        rules, issuer = rules_on(today()), self._points.own.issuer
        purpose = encounter.purpose or "TREATMENT"
        professional = issuer.professional(who.requesting(right, purpose, rules), rules, at)
        if right is Right.IDENTIFY or encounter.patient is None:
            return {"HCP": professional}
        treatment = issuer.treatment(professional, encounter.patient.cx, purpose, rules, at)
        return {"HCP": professional, "TRC": treatment}

    async def _question(self, who: Asking, encounter: Encounter, point: ContactPoint) -> _Question:
        waiting, patient = encounter.waiting, encounter.patient
        assert waiting is not None
        about = waiting.about
        if waiting.act is Act.IDENTIFY:
            values = {int(place): value for place, value in encounter.search.items()}
            query = messages.discovery_query(point, who.home, values)
            return _Question(
                messages.write_discovery(query),
                lambda reply: (messages.read_discovery(reply, query, point), b""),
                lambda error: Found(outcome=Outcome.FAILED, code=error.code, text=error.reason[:MAX_TEXT]),
                Right.IDENTIFY,
            )
        assert patient is not None
        if waiting.act is Act.LIST:
            return _Question(
                messages.write_list(patient, about),
                lambda reply: (messages.read_list(reply, about, patient, point), b""),
                lambda error: Listed(
                    class_code=about, outcome=Outcome.FAILED, code=error.code, text=error.reason[:MAX_TEXT]
                ),
                _RIGHTS[about],
                about,
            )
        if waiting.act is Act.RETRIEVE:
            document = encounter.document(about)
            assert document is not None

            def read(reply: Reply) -> tuple[AnyStep, bytes]:
                step, data = messages.read_retrieval(reply, document, point)
                if data:
                    check_patient(data, patient)
                return step, data

            return _Question(
                messages.write_retrieval(document, point),
                read,
                lambda error: Retrieved(
                    unique_id=about, outcome=Outcome.FAILED, code=error.code, text=error.reason[:MAX_TEXT]
                ),
                _RIGHTS[document.class_code],
                document.class_code,
                [about],
            )
        submission = encounter.submissions[about]
        is_discard = bool(submission.prepared.discards)
        data = await store.fetch_document(self._db, encounter.id, "prepared", about)
        body = messages.write_submission(
            submission.prepared,
            patient,
            (self._points.country, who.home),
            who.author,
            submission.at,
            len(data),
        )
        return _Question(
            body,
            lambda reply: (messages.read_submission(reply, about), b""),
            lambda error: _unsettled(error, about, is_first=submission.attempts <= 1),
            Right.DISCARD if is_discard else Right.DISPENSE,
            DISCARD if is_discard else DISPENSATION,
            [about],
            data,
        )


_RIGHTS = {
    SUMMARY: Right.SUMMARY,
    PRESCRIPTION: Right.PRESCRIPTION,
    **dict.fromkeys(ORIGINALS, Right.ORIGINAL),
}


def _not_sent(problem: NotConfigured) -> NoReply:
    return NoReply(NO_CONNECTION, str(problem), reached=False)


def _read(question: _Question, reply: Reply) -> tuple[AnyStep, bytes]:
    """Return what an answer says. Raises: `NoReply` for one that does not fit the question, or cannot be read."""
    try:
        return question.read(reply)
    except (Malformed, Wrong, OfAnother) as error:
        raise NoReply(INTEGRITY, str(error), reached=True, data=reply.data) from error
    except NotUsable as error:
        raise NoReply(INTEGRITY, error.faults[0].message, reached=True, data=reply.data) from error


def _unsettled(error: NoReply, document_id: str, *, is_first: bool) -> Settled:
    """Return what a missing answer to a submission means: refused only where it surely did not arrive.

    A repeated one that does not arrive leaves the first one as unknown as it was.
    """
    text = error.reason[:MAX_TEXT]
    is_final = isinstance(error, Fault) and error.is_final
    if is_final or (not error.reached and is_first):
        return Settled(document_id=document_id, outcome=Outcome.REFUSED, code=error.code, text=text)
    return Settled(document_id=document_id, outcome=Outcome.UNKNOWN, code=NO_ACKNOWLEDGEMENT, text=text)


def _audited(step: Any) -> str:
    """Return the code of what came back, "" for a success."""
    done = (Outcome.IDENTIFIED, Outcome.LISTED, Outcome.RETRIEVED, Outcome.ACKNOWLEDGED)
    return "" if step.outcome in done else step.code or str(step.outcome)
