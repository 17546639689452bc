"""The contact point of another country as client of ours: messages with its assertions, over its connection."""

import base64
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from esante.command_line import operator_of_shell
from esante.core.soap import MEDIA_TYPE, Package, parse_message, read_package, write_request
from esante.core.storage import uuid7
from esante.core.web import HANDLERS
from esante.core.xds import (
    FIND_DOCUMENTS,
    Coded,
    DocumentEntry,
    DocumentRequest,
    Listing,
    Retrieved,
    StoredQuery,
    Submission,
    SubmissionSet,
    read_listing,
    read_response,
    read_retrieved,
    write_query,
    write_requests,
    write_submission,
)
from esante.services.exchange.assertions.issuer import Issuer, Requesting
from esante.services.exchange.assertions.rules import rules_on
from esante.services.exchange.audit import AuditTrail, MessageExchanged
from esante.services.exchange.connector import NationalConnector
from esante.services.exchange.contact_points import ContactPoints
from esante.services.exchange.country_a.assembly import country_a_routes
from esante.services.exchange.country_a.connection import PEER
from esante.services.exchange.hl7v3 import discovery
from esante.services.exchange.hl7v3.model import InstanceId, PatientAnswer, PatientQuery
from tests.support.contact_points import contact_points, trial_country
from tests.support.exchange_abroad import connector_of
from tests.support.exchange_assertions import DOCTOR
from tests.support.record import World

COUNTRY, HOME, OURS = "PT", "2.999.2", "2.999.1"
CLASSES = ["60591-5", "57833-6", "60593-1", "11502-2", "34105-7", "18748-4"]
URL = "https://ncp.test"
XCPD, XCA, XDR = "/XCPD_Service", "/XCA_Service", "/XDR_Service"


def with_peer(application: ASGIApp, certificate: x509.Certificate | None) -> ASGIApp:
    """Return an application whose requests come over the connection of a certificate."""
    der = certificate.public_bytes(Encoding.DER) if certificate else None

    async def connected(scope: Scope, receive: Receive, send: Send) -> None:
        await application({**scope, "state": {PEER: der}}, receive, send)

    return connected


@dataclass
class Abroad:
    """A professional of the other country at work. `doctor`: as its contact point knows them."""

    application: ASGIApp
    issuer: Issuer
    certificate: x509.Certificate | None
    doctor: Requesting = DOCTOR
    sent: list[bytes] = field(default_factory=list)

    def hcp(self, at: datetime | None = None) -> etree._Element:
        """Return the assertion about the professional."""
        at = at or datetime.now(UTC)
        return self.issuer.professional(self.doctor, rules_on(at.date()), at)

    def assertions(self, patient: str, at: datetime | None = None) -> list[etree._Element]:
        """Return the assertions of a message about a patient (CX)."""
        at = at or datetime.now(UTC)
        hcp = self.hcp(at)
        return [hcp, self.issuer.treatment(hcp, patient, self.doctor.purpose, rules_on(at.date()), at)]

    async def post(self, path: str, body: bytes, media_type: str = MEDIA_TYPE) -> httpx.Response:
        """Send a message."""
        self.sent.append(body)
        transport = httpx.ASGITransport(with_peer(self.application, self.certificate))
        async with httpx.AsyncClient(transport=transport, base_url="https://ncp.test") as client:
            return await client.post(path, content=body, headers={"Content-Type": media_type})

    async def send(
        self, path: str, action: str, content: etree._Element, assertions: Sequence[etree._Element]
    ) -> tuple[etree._Element, Package]:
        """Send a message and return what is in the body of its answer, with the attachments."""
        copies = [etree.fromstring(etree.tostring(one)) for one in assertions]
        body = write_request(action, f"https://ncp.test{path}", uuid7().urn, content, copies)
        answer = await self.post(path, body)
        assert answer.status_code == 200, answer.text
        package = read_package(answer.content, answer.headers["content-type"])
        return parse_message(package.root).content, package

    async def discover(
        self, *ids: InstanceId, assertions: Sequence[etree._Element] | None = None, receiver: str = OURS, **traits: str
    ) -> PatientAnswer:
        """Look for a patient."""
        query = PatientQuery(
            InstanceId(str(uuid7())), InstanceId(str(uuid7())), HOME, receiver, ids=list(ids), **traits
        )
        action = "urn:hl7-org:v3:PRPA_IN201305UV02:CrossGatewayPatientDiscovery"
        given = [self.hcp()] if assertions is None else assertions
        content, _ = await self.send(XCPD, action, discovery.write_query(query), given)
        return discovery.read_answer(content, query)

    async def list_documents(
        self, patient: str, *codes: str, assertions: Sequence[etree._Element] | None = None, id_: str = FIND_DOCUMENTS
    ) -> Listing:
        """List the documents of some classes of a patient (CX)."""
        parameters = {
            "$XDSDocumentEntryPatientId": [patient],
            "$XDSDocumentEntryStatus": ["urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"],
            "$XDSDocumentEntryClassCode": [f"{code}^^2.16.840.1.113883.6.1" for code in codes],
        }
        given = self.assertions(patient) if assertions is None else assertions
        content, _ = await self.send(
            XCA, "urn:ihe:iti:2007:CrossGatewayQuery", write_query(StoredQuery(id_, parameters)), given
        )
        return read_listing(content)

    async def retrieve(
        self,
        patient: str,
        *unique_ids: str,
        assertions: Sequence[etree._Element] | None = None,
        home: str = f"urn:oid:{OURS}",
        repository: str = OURS,
    ) -> Retrieved:
        """Fetch documents of a patient."""
        requests = [DocumentRequest(home, repository, one) for one in unique_ids]
        given = self.assertions(patient) if assertions is None else assertions
        content, package = await self.send(
            XCA, "urn:ihe:iti:2007:CrossGatewayRetrieve", write_requests(requests), given
        )
        return read_retrieved(content, package)

    async def submit(
        self,
        patient: str,
        document: bytes,
        class_code: str = "60593-1",
        *,
        assertions: Sequence[etree._Element] | None = None,
        about: str = "",
        sha1: str = "",
    ) -> Sequence[str]:
        """Submit a dispensation; return the codes of the errors, none for success. `about`: the patient it names."""
        coded = Coded(class_code, "2.16.840.1.113883.6.1", "Medication dispensed")
        entry = DocumentEntry(
            entry_uuid=uuid7().urn,
            unique_id="2.999.8^1",
            patient_id=about or patient,
            mime_type="text/xml",
            class_code=coded,
            type_code=coded,
            format_code=Coded("urn:epSOS:ep:dis:2010", "eHDSI formatCodes"),
            sha1=sha1,
        )
        submission_set = SubmissionSet(
            uuid7().urn, "2.999.8.1", entry.patient_id, HOME, submitted="20261130120000", content_type=coded
        )
        content = write_submission(Submission(submission_set, [entry], []), {entry.entry_uuid: "x"})
        holder = content.find("{urn:ihe:iti:xds-b:2007}Document")
        assert holder is not None
        holder.clear()
        holder.set("id", entry.entry_uuid)
        holder.text = base64.b64encode(document).decode()
        given = self.assertions(patient) if assertions is None else assertions
        answer, _ = await self.send(XDR, "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b", content, given)
        is_taken, errors = read_response(answer)
        assert is_taken is not bool(errors)
        return [one.code for one in errors]

    def as_role(self, role: str, **changes: object) -> "Abroad":
        """Return another professional of the same country."""
        doctor = replace(self.doctor, role=role, name_id=f"{role}@hospital.example", **changes)  # type: ignore[arg-type]
        return replace(self, doctor=doctor, sent=[])


async def register(points: ContactPoints, country: str = COUNTRY, asks: Sequence[str] = CLASSES) -> None:
    """Register a country that may ask for some classes."""
    there = trial_country(country)
    files = there.files()
    lines = [one for one in files["contact-point.toml"].decode().splitlines() if not one.startswith("asks")]
    files["contact-point.toml"] = "\n".join([*lines, f"asks = {list(asks)!r}".replace("'", '"')]).encode()
    await points.register(operator_of_shell("Ann, who registers contact points"), files, there.confirmed)


@contextlib.asynccontextmanager
async def open_country_a(
    world: World, folder: Path, connector: NationalConnector | None = None
) -> AsyncIterator[tuple[Abroad, ContactPoints]]:
    """Yield a professional of a registered country before country A of a world, and the contact points."""
    points = contact_points(world.db, world.journal, folder / "exchange")
    await register(points)
    trail = AuditTrail(world.db, world.journal)
    routes = country_a_routes(points, trail, world.access, connector or connector_of(world), URL)
    application = Starlette(routes=routes, exception_handlers=HANDLERS)
    there = trial_country(COUNTRY).own
    yield Abroad(application, there.issuer, there.tls), points


async def exchanged(world: World, since: int = 0) -> list[MessageExchanged]:
    """Return the recorded messages, oldest first, without the first `since`."""
    entries = []
    for row in await world.db.fetch(
        "SELECT DISTINCT person_id FROM journal_entry WHERE type = $1", MessageExchanged.TYPE
    ):
        entries += await world.journal.entries_of(row["person_id"], [MessageExchanged], limit=1_000)
    return [one.event for one in sorted(entries, key=lambda one: one.id)][since:]
