"""Audit messages: in the vocabulary that OpenNCP writes, sent over syslog, resent after a failure."""

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lxml import etree

from esante.core import clock
from esante.core.journal import Actor, Consumer, Entry, Journal
from esante.core.journal.consumers import advance
from esante.core.storage import NIL, Database, uuid7
from esante.identity.access import Requester
from esante.services.exchange.audit import AuditTrail, Exchanged, MessageExchanged, Side
from esante.services.exchange.audit.atna import Parties, audit_message
from esante.services.exchange.audit.sender import AuditSender
from esante.services.exchange.audit.syslog import Repository, RepositoryAway, frame, repository_at
from esante.services.exchange.contact_points import Transaction
from tests.support.contact_points import contact_points, trial_country

PARTIES = Parties("CN=ncp.lu", "ncp.lu.example", "CN=ncp.pt", "10.1.1.1", "LU")
DOCTOR = Requester(kind="practitioner", id=uuid7(), name="Dr Ana Exemplo", organization="Hospital of Porto")
PATIENT = "1988090300001^^^&1.3.182.4.4&ISO"


def event(side: Side, transaction: Transaction, content: str = "", outcome: str = "") -> MessageExchanged:
    return MessageExchanged(
        side=side,
        transaction=transaction,
        content=content,
        country="PT",
        patient=PATIENT,
        role="221",
        purpose="TREATMENT",
        message_id="urn:uuid:1",
        answer_id="urn:uuid:2",
        request_hash="aa",
        answer_hash="bb",
        outcome=outcome,
        documents=("2.999.1^7",),
    )


def written(*about: object, **more: object) -> etree._Element:
    actor = Actor(kind="practitioner", id=DOCTOR.id, name=DOCTOR.name, organization=DOCTOR.organization)
    at = datetime(2026, 11, 30, 12, tzinfo=UTC)
    entry = Entry(uuid7(), NIL, at, MessageExchanged.TYPE, actor, "", event(*about, **more))  # type: ignore[arg-type]
    return etree.fromstring(audit_message(entry, PARTIES))


def codes(message: etree._Element, path: str) -> list[str]:
    return [one.get("csd-code", "") for one in message.iterfind(path)]


@pytest.mark.parametrize(
    ("side", "transaction", "content", "event_id", "service"),
    [
        (Side.ASKED, Transaction.DISCOVERY, "", "110112", "EHDSI-11"),
        (Side.ANSWERED, Transaction.LIST, "60591-5", "110112", "EHDSI-21"),
        (Side.ANSWERED, Transaction.RETRIEVE, "60591-5", "110106", "EHDSI-22"),
        (Side.ASKED, Transaction.RETRIEVE, "60591-5", "110107", "EHDSI-22"),
        (Side.ANSWERED, Transaction.LIST, "57833-6", "110112", "EHDSI-31"),
        (Side.ANSWERED, Transaction.RETRIEVE, "57833-6", "110112", "EHDSI-32"),
        (Side.ANSWERED, Transaction.LIST, "11502-2", "110112", "EHDSI-61"),
        (Side.ANSWERED, Transaction.RETRIEVE, "34105-7", "110112", "EHDSI-62"),
        (Side.ASKED, Transaction.SUBMIT, "60593-1", "110112", "EHDSI-41"),
        (Side.ASKED, Transaction.SUBMIT, "DISCARD-60593-1", "110112", "EHDSI-42"),
    ],
)
def test_event_has_the_codes_of_its_transaction(
    side: Side, transaction: Transaction, content: str, event_id: str, service: str
) -> None:
    message = written(side, transaction, content)
    assert codes(message, "EventIdentification/EventID") == [event_id]
    assert codes(message, "EventIdentification/EventTypeCode") == [transaction.value, service]
    assert message.find("EventIdentification").get("EventOutcomeIndicator") == "0"  # type: ignore[union-attr]


def test_who_asked_is_the_requestor_and_consumer_and_provider_follow_the_side() -> None:
    for side, consumer in ((Side.ASKED, "CN=ncp.lu"), (Side.ANSWERED, "CN=ncp.pt")):
        message = written(side, Transaction.DISCOVERY)
        roles = {one.find("RoleIDCode").get("csd-code"): one for one in message.iter("ActiveParticipant")}  # type: ignore[union-attr]
        assert roles["ServiceConsumer"].get("UserID") == consumer
        assert roles["221"].get("UserName") == "Dr Ana Exemplo" and roles["221"].get("UserIsRequestor") == "true"
        assert roles["healthcare"].get("UserID") == "Hospital of Porto"


def test_failure_is_told_with_its_code() -> None:
    message = written(Side.ANSWERED, Transaction.LIST, "60591-5", "ERROR_PS_NOT_FOUND")
    assert message.find("EventIdentification").get("EventOutcomeIndicator") == "8"  # type: ignore[union-attr]
    (detail,) = message.iter("ParticipantObjectDetail")
    assert base64.b64decode(detail.get("value", "")) == b"ERROR_PS_NOT_FOUND"


def test_elements_and_attributes_are_those_of_openncp_and_dicom(shared_data: Path) -> None:
    folder = shared_data / "atna"
    files = [*(folder / "openncp").glob("*.xml"), folder / "dicom.xml"]
    assert len(files) > 3
    known: set[tuple[str, str]] = set()
    for file in files:
        for one in etree.parse(file).iter():
            known |= {(str(one.tag), name) for name in ("", *map(str, one.attrib))}
    standard = {("ActiveParticipant", "UserName"), ("AuditSourceTypeCode", "codeSystemName")}
    standard |= {("AuditSourceTypeCode", name) for name in ("displayName", "originalText")}
    ours = {
        (str(one.tag), name)
        for outcome in ("", "1100")
        for one in written(Side.ASKED, Transaction.RETRIEVE, "60591-5", outcome).iter()
        for name in ("", *map(str, one.attrib))
    }
    assert ours - known <= standard


def test_frame_counts_bytes_and_has_the_header_of_rfc_5424() -> None:
    at = datetime(2026, 11, 30, 12, tzinfo=UTC)
    framed = frame("ncp.lu.example", at, "<é/>".encode())
    length, _, rest = framed.partition(b" ")
    assert int(length) == len(rest)
    assert (
        rest == b"<85>1 2026-11-30T12:00:00.000+00:00 ncp.lu.example esante - IHE+RFC-3881 - \xef\xbb\xbf<\xc3\xa9/>"
    )


@pytest.mark.parametrize(
    "url", ["https://a:1", "tls://host", "tcp://10.0.0.1:514", "tcp://repository.example:514", ""]
)
def test_address_without_tls_or_port_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="ESANTE_NCP_AUDIT_URL"):
        repository_at(url, "", "host")


class Received:
    """A repository: keeps what came; refuses connections while `is_away`."""

    def __init__(self) -> None:
        self.data, self.is_away = b"", False

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_away:
            writer.transport.abort()
            return
        while piece := await reader.read(65_536):
            self.data += piece
        writer.close()

    @property
    def messages(self) -> list[etree._Element]:
        found, rest = [], self.data
        while rest:
            length, _, rest = rest.partition(b" ")
            found.append(etree.fromstring(rest[: int(length)].split(b"\xef\xbb\xbf", 1)[1]))
            rest = rest[int(length) :]
        return found


@pytest.fixture
async def received() -> AsyncIterator[tuple[Received, int]]:
    found = Received()
    server = await asyncio.start_server(found.take, "127.0.0.1", 0)
    async with server:
        yield found, server.sockets[0].getsockname()[1]


async def test_messages_reach_the_repository_and_wait_while_it_is_away(
    db: Database, journal: Journal, tmp_path: Path, received: tuple[Received, int]
) -> None:
    found, port = received
    points = contact_points(db, journal, tmp_path / "exchange")
    there = trial_country("PT")
    await db.fetch("DELETE FROM exchange_contact_point")
    await points.register(DOCTOR, there.files("https://ncp.pt.example"), there.confirmed)
    trail = AuditTrail(db, journal)
    sender = AuditSender(points, Repository("127.0.0.1", port, "ncp", None), "https://ncp.lu.example:8443")
    consumer = sender.consumer()
    await _pass_all(db, journal, consumer, found)
    found.is_away = True
    for number in range(3):
        now = clock.now()
        await trail.record(
            Exchanged(
                side=Side.ASKED,
                transaction=Transaction.DISCOVERY,
                country="PT",
                initiator=DOCTOR,
                message_id=f"urn:uuid:{number}",
                request=b"request",
                answer=b"answer",
                began_at=now - timedelta(milliseconds=40),
                ended_at=now,
            )
        )
    await journal.sealer.seal_all()
    with pytest.raises(RepositoryAway):
        await advance(db, consumer)
    found.is_away, found.data = False, b""
    assert await advance(db, consumer)
    ids = [
        one.get("ParticipantObjectID")
        for message in found.messages
        for one in message.iter("ParticipantObjectIdentification")
    ]
    assert ids == ["urn:uuid:0", "urn:uuid:1", "urn:uuid:2"]
    text = etree.tostring(found.messages[0]).decode()
    assert "ncp.pt.example" in text and "ncp.lu.example" in text and re.search(r"CN=127\.0\.0\.1", text)


async def _pass_all(db: Database, journal: Journal, consumer: Consumer, found: Received) -> None:
    """Let the consumer pass what other tests of this database left."""
    await journal.sealer.seal_all()
    while await advance(db, consumer):
        pass
    found.data = b""
