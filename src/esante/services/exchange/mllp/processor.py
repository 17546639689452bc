"""What becomes of a message: taken once, answered alike each time, kept for operators where it cannot be processed."""

import logging
import traceback
from dataclasses import replace
from uuid import NAMESPACE_OID, UUID, uuid5

import asyncpg

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database, Overloaded, Unavailable, insert, sha256, uuid7
from esante.core.time_zone import day_of
from esante.core.web import Problem, translator
from esante.identity.access import Access, Requester, requester_of
from esante.identity.directory import Directory, Motive, current_motive
from esante.services.exchange.mllp import message_store as store
from esante.services.exchange.mllp.admissions import Admissions
from esante.services.exchange.mllp.hl7v2.acknowledgement import acknowledge, batch_of
from esante.services.exchange.mllp.hl7v2.er7 import Message, divide_batch, read_message
from esante.services.exchange.mllp.model import Code, Fault, IncomingMessage, MessageRefused, NotNow, State
from esante.services.exchange.mllp.patients import unknown_patient
from esante.services.exchange.mllp.results import Results
from esante.services.exchange.mllp.terms import message_terms_on

_LOG = logging.getLogger(__name__)
_VERSIONS = ("2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "2.7", "2.8", "2.9")
MAX_BATCH = 500
"""Messages of a batch."""


class MessageProcessor:
    """Processes messages of organisations."""

    def __init__(
        self,
        db: Database,
        journal: Journal,
        access: Access,
        directory: Directory,
        admissions: Admissions,
        results: Results,
    ) -> None:
        self._db, self._journal, self._access, self._directory = db, journal, access, directory
        self._admissions, self._results = admissions, results

    async def answer(self, organization_id: UUID, origin: str, data: bytes) -> bytes:
        """Return the answer to what came in a frame: to a message, or to each of a batch.

        The same message again gets the same answer. What cannot be processed now is answered with AE and may be sent
        again; nothing of it was done, or it is finished then.
        """
        parts = divide_batch(data)
        if len(parts) > MAX_BATCH:
            text, remedy = "There are too many messages.", f"Send at most {MAX_BATCH} in a batch."
            fault = Fault(Code.DATA_TYPE, "BHS", text, remedy, is_rejected=True)
            return acknowledge(None, "AR", fault, clock.now(), uuid7().hex[:20])
        answers = [await self._answer(organization_id, origin, one) for one in parts]
        return answers[0] if parts == [data] else batch_of(answers)

    async def repeat(self, message_id: UUID) -> IncomingMessage | None:
        """Process a message again that failed or was broken off; return it as it is then, None where there is none."""
        known = await store.fetch_message(self._db, message_id)
        if known is None or known.state is State.DONE or known.content is None:
            return known
        await self._process(known, known.content, "")
        return await store.fetch_message(self._db, message_id)

    async def tidy(self) -> None:
        """Delete what is kept of messages whose time is over."""
        now = clock.now()
        terms = message_terms_on(day_of(now))
        await store.delete_old(self._db, now - terms.failed, now - terms.answers)

    async def _answer(self, organization_id: UUID, origin: str, data: bytes) -> bytes:
        digest = sha256(data)
        message, fault = _read(data)
        sender = message.sender[:200] if message else ""
        control_id = (message.control_id[:200] if message else "") or f"sha256:{digest.hex()}"
        new = IncomingMessage(
            message_id=uuid7(),
            organization_id=organization_id,
            sender=sender,
            control_id=control_id,
            kind=message.kind[:40] if message else "",
            digest=digest,
            received_at=clock.now(),
            state=State.RECEIVED,
            content=data,
        )
        try:
            known = await self._keep(new)
            if known.digest != digest:
                text, remedy = "Another message had this control ID.", "Give each message a control ID of its own."
                reused = Fault(Code.DUPLICATE, "MSH^1^10", text, remedy, is_rejected=True)
                return acknowledge(message, "AR", reused, known.received_at, _control_id(new))
            if known.answer is not None:
                return known.answer
            return await self._process(known, data, origin)
        except (Overloaded, Unavailable) as error:
            _LOG.warning("a message was not processed: %s", type(error).__name__)
            later = _later("The service is busy.")
            return acknowledge(message, "AR" if fault else "AE", fault or later, new.received_at, _control_id(new))

    async def _keep(self, new: IncomingMessage) -> IncomingMessage:
        """Store a message before it is processed; return it, or the one that had its control id."""
        known = await store.find_message(self._db, new.organization_id, new.sender, new.control_id)
        if known is not None:
            return known
        try:
            await self._db.write([store.message_row(new)])
        except asyncpg.UniqueViolationError:
            known = await store.find_message(self._db, new.organization_id, new.sender, new.control_id)
            if known is not None:
                return known
            raise
        return new

    async def _process(self, known: IncomingMessage, data: bytes, origin: str) -> bytes:
        """Do what a message says, write what became of it, and return the answer."""
        message, fault = _read(data)
        control_id = _control_id(known)
        try:
            if fault is None and message is not None:
                await self._act(known.organization_id, origin, message)
        except NotNow as error:
            return acknowledge(message, "AE", _later(str(error)), known.received_at, control_id)
        except Fault as found:
            fault = found
        except (Overloaded, Unavailable):
            raise
        except Exception as error:
            # Whatever a message brings about must not end the connection. Its words may be about a patient, so the log
            # has only what kind of error it was, and where.
            where = traceback.extract_tb(error.__traceback__)[-1]
            _LOG.error("a message was not processed: %s at %s:%s", type(error).__name__, where.filename, where.lineno)
            text = "An error occurred here."
            fault = Fault(Code.INTERNAL, "MSH", text, "Tell the operators; they can have it processed again.")
        code = "AA" if fault is None else "AR" if fault.is_rejected else "AE"
        answer = acknowledge(message, code, fault, known.received_at, control_id)
        settled = replace(
            known,
            state=State.FAILED if fault else State.DONE,
            code=fault.code.value if fault else "",
            place=fault.place if fault else "",
            reason=f"{fault.text} {fault.remedy}" if fault else "",
            content=data if fault else None,
            answer=answer,
            processed_at=clock.now(),
        )
        return await self._settle(settled, again=known.state is State.FAILED)

    async def _settle(self, settled: IncomingMessage, *, again: bool) -> bytes:
        async with self._db.transaction() as conn:
            answer = await store.settle(conn, settled, again=again)
            if settled.state is State.FAILED:
                event = MessageRefused(
                    message_id=settled.message_id,
                    organization_id=settled.organization_id,
                    kind=settled.kind,
                    code=settled.code,
                    place=settled.place,
                )
                await insert(conn, self._journal.rows(event))
        return answer

    async def _act(self, organization_id: UUID, origin: str, message: Message) -> None:
        """Do what a message says. Raises: `Fault`, `NotNow`."""
        _check_header(message)
        organization = await self._directory.organization(organization_id)
        signer = organization and replace(
            requester_of(organization), client=f"HL7 V2 {message.header.text(3)}"[:100], origin=origin
        )
        requester = await self._access.recognize(signer) if signer else None
        if requester is None:
            text = "The organisation may not use the platform."
            raise Fault(Code.INTERNAL, "MSH^1^4", text, "Contact the helpdesk.", is_rejected=True)
        current_motive.set(Motive("TREAT"))
        try:
            await self._take(requester, message)
        except Problem as problem:
            raise _as_fault(problem) from problem

    async def _take(self, requester: Requester, message: Message) -> None:
        match message.header.text(9):
            case "ADT":
                await self._admissions.take(requester, message)
            case "ORU":
                await self._results.take(requester, message)
            case _:
                text, remedy = "Messages of this type are not taken.", "Send ADT or ORU."
                raise Fault(Code.MESSAGE_TYPE, "MSH^1^9^1^1", text, remedy, is_rejected=True)


def _read(data: bytes) -> tuple[Message | None, Fault | None]:
    """Return a message, or what keeps it from being read."""
    try:
        return read_message(data), None
    except Fault as fault:
        return None, fault


def _check_header(message: Message) -> None:
    """Refuse a message without a control id, of another version, or of tests. Raises: `Fault`."""
    header = message.header
    if not message.control_id:
        text, remedy = "The control ID is missing.", "Send one in MSH-10."
        raise Fault(Code.REQUIRED, "MSH^1^10", text, remedy, is_rejected=True)
    if not header.text(12).startswith(_VERSIONS):
        text, remedy = "This version is not supported.", "Use 2.1 to 2.9 in MSH-12."
        raise Fault(Code.VERSION, "MSH^1^12", text, remedy, is_rejected=True)
    if header.text(11) not in ("P", ""):
        text, remedy = "This is no message of production.", "Send P in MSH-11, and tests to a test system."
        raise Fault(Code.PROCESSING, "MSH^1^11", text, remedy, is_rejected=True)


def _as_fault(problem: Problem) -> Fault:
    """Return a refusal of the record or of a stay as what is wrong with a message. Raises: `NotNow`."""
    gettext = translator("en").gettext
    text, remedy = gettext(problem.title), gettext(problem.remedy) if problem.remedy else ""
    if problem.status in (429, 503):
        raise NotNow(text)
    is_absent = problem.status in (403, 404) or problem.code == "not-found"
    if is_absent and not problem.place.startswith("type"):
        return unknown_patient()
    place = "PID^1^3" if problem.status == 409 else "OBX"
    return Fault(Code.DATA_TYPE, place, " ".join(filter(None, (text, problem.place, problem.detail))), remedy)


def _later(text: str) -> Fault:
    return Fault(Code.INTERNAL, "MSH", text, "Send the message again later.")


def _control_id(one: IncomingMessage) -> str:
    """Return the control id of the answer, the same for the same message."""
    return uuid5(NAMESPACE_OID, f"{one.organization_id} {one.sender} {one.control_id}").hex[:20]
