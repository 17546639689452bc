"""The client of the FHIR interface of other contact points."""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import aiohttp
import orjson
from lxml import etree

from esante.core import clock
from esante.core.storage import uuid7
from esante.core.types import Json
from esante.services.exchange.assertions.issuer import Issuer
from esante.services.exchange.contact_points import ContactPoint
from esante.services.exchange.fhir_api.server import request_target
from esante.services.exchange.fhir_api.tokens import write_token

MAX_ANSWER = 40 << 20
TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=5)
_UNREACHED = "ERROR_GENERIC_CONNECTION_NOT_POSSIBLE"
_INTEGRITY = "ERROR_SEC_DATA_INTEGRITY_NOT_ENSURED"
Assertions = Mapping[str, etree._Element]


@dataclass(frozen=True, slots=True)
class Sent:
    """What both sides record of a request: its id, its target as it was sent, the bytes that came back."""

    message_id: str
    request: bytes = field(default=b"", repr=False)
    data: bytes = field(default=b"", repr=False)


class NotAnswered(Exception):
    """A request without an answer that can be used: the code of contact points, and the reason in English."""

    def __init__(self, code: str, reason: str, sent: Sent) -> None:
        super().__init__(reason)
        self.code, self.reason, self.sent = code, reason, sent


@dataclass(frozen=True, slots=True)
class Answer:
    """A resource that was answered."""

    sent: Sent
    resource: Json = field(repr=False)


class FhirClient:
    """Asks contact points. `context` makes the TLS context for one of them; `issuer` is this contact point."""

    def __init__(self, context: Callable[[ContactPoint], ssl.SSLContext], issuer: Issuer) -> None:
        self._context, self._issuer = context, issuer

    async def find_patient(self, point: ContactPoint, assertions: Assertions, system: str, value: str) -> Answer:
        """Return the Bundle with the patient of an identifier, or without one. Raises: `NotAnswered`."""
        return await self._get(point, assertions, "/Patient", {"identifier": f"{system}|{value}"})

    async def list_documents(
        self, point: ContactPoint, assertions: Assertions, system: str, value: str, type_: str
    ) -> Answer:
        """Return the Bundle with the DocumentReferences of a patient, of one type (LOINC). Raises: `NotAnswered`."""
        query = {"patient.identifier": f"{system}|{value}", "type": f"http://loinc.org|{type_}"}
        return await self._get(point, assertions, "/DocumentReference", query)

    async def fetch(self, point: ContactPoint, assertions: Assertions, key: str) -> Answer:
        """Return a document as a Bundle. Raises: `NotAnswered`."""
        return await self._get(point, assertions, f"/Bundle/{key}", {})

    async def _get(self, point: ContactPoint, assertions: Assertions, path: str, query: Mapping[str, str]) -> Answer:
        base, sent = point.fhir_url, Sent(uuid7().urn)
        if not base:
            raise NotAnswered("ERROR_GENERIC_SERVICE_SIGNIFIER_UNKNOWN", "the country offers no FHIR", sent)
        headers = {
            "Authorization": f"Bearer {write_token(self._issuer, assertions, base, clock.now())}",
            "Accept": "application/fhir+json",
            "X-Request-Id": sent.message_id,
        }
        sent, status = await self._read(point, f"{base}{path}", query, headers, sent)
        try:
            resource = orjson.loads(sent.data)
        except orjson.JSONDecodeError as error:
            raise NotAnswered(_INTEGRITY, "the answer is no JSON", sent) from error
        if not isinstance(resource, dict) or "resourceType" not in resource:
            raise NotAnswered(_INTEGRITY, "the answer is no resource", sent)
        if status != 200:
            raise NotAnswered(_code_of(resource), f"the status of the answer is {status}", sent)
        return Answer(sent, resource)

    async def _read(
        self, point: ContactPoint, url: str, query: Mapping[str, str], headers: Mapping[str, str], sent: Sent
    ) -> tuple[Sent, int]:
        """Return what came back, and its status."""
        connector = aiohttp.TCPConnector(ssl=self._context(point), force_close=True)
        data = bytearray()
        try:
            async with (
                aiohttp.ClientSession(
                    connector=connector, timeout=TIMEOUT, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
                ) as session,
                session.get(url, params=query, headers=headers, allow_redirects=False) as response,
            ):
                asked = response.request_info.url
                sent = replace(sent, request=request_target(asked.raw_path, asked.raw_query_string))
                async for chunk in response.content.iter_any():
                    data += chunk
                    if len(data) > MAX_ANSWER:
                        raise NotAnswered(_INTEGRITY, f"the answer is larger than {MAX_ANSWER >> 20} MiB", sent)
                return replace(sent, data=bytes(data)), response.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            came = replace(sent, data=bytes(data))
            raise NotAnswered(_UNREACHED, f"there is no answer: {type(error).__name__}", came) from error


def _code_of(resource: Json) -> str:
    """Return the code of contact points in an OperationOutcome, or that of any failure."""
    for issue in resource.get("issue", ()) if isinstance(resource.get("issue"), list) else ():
        details = issue.get("details", {}) if isinstance(issue, dict) else {}
        for coding in details.get("coding", ()) if isinstance(details, dict) else ():
            if isinstance(coding, dict) and isinstance(coding.get("code"), str):
                return str(coding["code"])[:100]
    return "ERROR_GENERIC"
