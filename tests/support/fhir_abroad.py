"""A professional of another country at work with the FHIR interface."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
from lxml import etree

from esante.services.exchange.fhir_api.tokens import write_token
from esante.services.exchange.hl7v3.model import InstanceId
from tests.support.country_a import URL, Abroad, with_peer

BASE = f"{URL}/fhir"


@dataclass(frozen=True)
class FhirAbroad:
    """Requests over FHIR by the professional of `soap`."""

    soap: Abroad

    def assertions(self, cx: str = "") -> dict[str, etree._Element]:
        """Return the assertions by their claims; with `cx`, that of a treatment too."""
        if not cx:
            return {"HCP": self.soap.hcp()}
        hcp, trc = self.soap.assertions(cx)
        return {"HCP": hcp, "TRC": trc}

    def token(self, cx: str = "") -> str:
        """Return the token of a request."""
        return write_token(self.soap.issuer, self.assertions(cx), BASE, datetime.now(UTC))

    async def get(self, path: str, token: str = "", **params: str) -> httpx.Response:
        """Ask with a token."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        query = {name.replace("__", "."): value for name, value in params.items()}
        async with self.client() as client:
            return await client.get(f"/fhir{path}", params=query, headers=headers)

    def client(self) -> httpx.AsyncClient:
        """Return a client over the connection of the country."""
        transport = httpx.ASGITransport(with_peer(self.soap.application, self.soap.certificate))
        return httpx.AsyncClient(transport=transport, base_url=URL)

    async def patients(self, number: InstanceId, **traits: str) -> list[Mapping[str, object]]:
        """Return the patients that an identifier finds."""
        answer = await self.get("/Patient", self.token(), identifier=text_of(number), **traits)
        assert answer.status_code == 200, answer.text
        return [one["resource"] for one in answer.json().get("entry", [])]

    async def documents(self, number: InstanceId, type_: str = "") -> list[Mapping[str, object]]:
        """Return the DocumentReferences of a patient."""
        more = {"type": f"http://loinc.org|{type_}"} if type_ else {}
        answer = await self.get(
            "/DocumentReference", self.token(number.cx), patient__identifier=text_of(number), **more
        )
        assert answer.status_code == 200, answer.text
        return [one["resource"] for one in answer.json().get("entry", [])]


def text_of(number: InstanceId) -> str:
    """Return an identifier as a token parameter."""
    return f"urn:oid:{number.root}|{number.extension}"
