"""Who sends a message: signatures, certificates, tokens, and messages that come twice.

RSA and canonicalization run in threads, a few at a time, so that other requests go on.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ParamSpec, TypeVar
from uuid import UUID

import asyncpg
from lxml import etree

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database
from esante.core.time_zone import today
from esante.core.web import N_, FairSlots, Problem, QueueFull, network_of
from esante.identity.access import Access, Requester, requester_of
from esante.identity.directory import Directory, Organization, Practitioner
from esante.services.billing.exchange import exchange_store as store
from esante.services.billing.exchange.certificates import Certificates
from esante.services.billing.exchange.envelope import Envelope, parse_envelope
from esante.services.billing.exchange.faults import fault
from esante.services.billing.exchange.keys import ExchangeKey
from esante.services.billing.exchange.model import ExchangeRefused, ExchangeTokenIssued, Signer, Token
from esante.services.billing.exchange.names import BST_TYPE
from esante.services.billing.exchange.signature import SKEW, Verified, signed_envelope, verify
from esante.services.billing.exchange.tokens import LIFETIME, issue_token, read_token

THREADS = 4
WAITING, CLIENT_WAITING = 400, 200
"""Messages that wait for their cryptography in total, and of a network."""
REFUSALS, REFUSAL_WINDOW = 120, timedelta(minutes=10)
"""Refused messages of strangers in a network, in a window, before it has to wait; each is journalled."""
CLIENT = "SOAP exchange"
"""The software that the journal names for what comes this way."""
P = ParamSpec("P")
T = TypeVar("T")


class ExchangeSecurity:
    """Authenticates the signers of messages, issues their tokens, signs answers.

    `address`: the exchange's address, which its tokens name.
    """

    def __init__(
        self, db: Database, journal: Journal, directory: Directory, access: Access, key: ExchangeKey, address: str
    ) -> None:
        self._db, self._journal, self._directory, self._access = db, journal, directory, access
        self.key, self.address = key, address
        self.certificates = Certificates(db, journal)
        self._slots = FairSlots(THREADS, THREADS, waiting=WAITING, waiting_per_client=CLIENT_WAITING)

    async def read(self, data: bytes, origin: str) -> Envelope:
        """Return the message of a request, of which nothing is verified. Raises: `Problem`."""
        return await self._in_thread(origin, parse_envelope, data)

    async def token_signer(self, envelope: Envelope, origin: str) -> tuple[Requester, bytes, etree._Element]:
        """Return who signed a request for a token, their certificate (SHA-256), the signed body. Raises: `Problem`."""
        verified = await self._verified(envelope, ("Body", "BinarySecurityToken", "Timestamp"), origin)
        requester, fingerprint = await self._requester(verified, origin)
        await self._refuse_repetition(verified, clock.now() + LIFETIME)
        return requester, fingerprint, verified.body

    async def issue(self, requester: Requester, fingerprint: bytes, provider_code: str) -> tuple[str, Token]:
        """Return a new token for a professional, and what it says. Raises: `Problem` 403 for another's code."""
        await self._require_code(requester.id, provider_code)
        token = Token(
            practitioner_id=requester.id,
            fingerprint=fingerprint,
            provider_code=provider_code,
            expires_at=clock.now() + LIFETIME,
        )
        event = ExchangeTokenIssued(provider_code=provider_code, fingerprint=fingerprint.hex(), until=token.expires_at)
        await self._journal.append_for(requester, event)
        text = await self._in_thread(requester.origin, issue_token, token, self.key.jwk, self.address)
        return text, token

    async def signer(self, envelope: Envelope, origin: str) -> tuple[Signer, etree._Element]:
        """Return who signed a message that has a token of ours, and its signed body. Raises: `Problem`."""
        tokens = envelope.tokens(BST_TYPE)
        if len(tokens) != 1:
            raise fault("token-invalid", "Header/Security/BinarySecurityToken", "One token is needed.")
        text = "".join("".join(tokens[0].itertext()).split())
        token = await self._in_thread(origin, read_token, text, self.key.jwk, self.address)
        verified = await self._verified(envelope, ("Body",), origin)
        requester, fingerprint = await self._requester(verified, origin)
        if (token.practitioner_id, token.fingerprint) != (requester.id, fingerprint):
            raise fault("token-invalid", "Header/Security/BinarySecurityToken", "It is bound to another certificate.")
        await self._refuse_repetition(verified, token.expires_at)
        await self._require_code(requester.id, token.provider_code)
        return Signer(requester=requester, provider_code=token.provider_code), verified.body

    async def sign(self, soap: str, content: etree._Element, correlation_id: str) -> bytes:
        """Return an answer with a content, signed. It is never refused: what it tells has been done."""
        key = self.key
        return await asyncio.to_thread(signed_envelope, soap, content, key.private, key.certificate, correlation_id)

    async def record_refusal(self, reason: str, correlation_id: str, origin: str, signer: Requester | None) -> None:
        """Journal that a message was refused.

        Raises: `Problem` 429 after too many from a network that no known certificate signed (`signer` None).
        """
        event = ExchangeRefused(reason=reason, correlation_id=correlation_id)
        if signer is not None:
            await self._journal.append_for(signer, event)
            return
        limits = {f"exchange:{network_of(origin)}": REFUSALS}
        await self._access.count_attempts(limits, REFUSAL_WINDOW, None, origin)
        await self._journal.append(event, origin=origin)

    async def tidy(self) -> None:
        """Forget the signatures of messages that are too old to come again."""
        await store.delete_old_messages(self._db, clock.now())

    async def _verified(self, envelope: Envelope, required: Collection[str], origin: str) -> Verified:
        return await self._in_thread(origin, verify, envelope, required)

    async def _requester(self, verified: Verified, origin: str) -> tuple[Requester, bytes]:
        """Return whose certificate signed a message, and its fingerprint. Raises: `Problem` 403."""
        known = await self.certificates.trusted(verified.certificate)
        practitioner = await self._directory.practitioner(known.practitioner_id)
        signer = practitioner and replace(requester_of(practitioner), origin=origin, client=CLIENT)
        found = signer and await self._access.recognize(signer)
        if not found:
            raise Problem(403, "suspended", N_("This account is suspended."), remedy=N_("Contact the helpdesk."))
        return found, known.fingerprint

    async def _refuse_repetition(self, verified: Verified, until: datetime) -> None:
        """Remember a message, for as long as it could be accepted. Raises: `Problem` for one that came before."""
        end = verified.until + SKEW if verified.until else until
        try:
            await self._db.write([store.message_row(verified.digest, end)])
        except asyncpg.UniqueViolationError as error:
            raise fault("replayed", "Header/Security/Signature") from error

    async def _require_code(self, practitioner_id: UUID, provider_code: str) -> None:
        """Raise Problem 403 for a provider code of neither a professional nor an organisation where they work."""
        practitioner = await self._directory.practitioner(practitioner_id)
        if practitioner is None or not await self._may_use(practitioner, provider_code):
            raise fault("provider-code", "Claims/ClaimType")

    async def _may_use(self, practitioner: Practitioner, provider_code: str) -> bool:
        system = self._directory.catalogue.system("provider_code").uri
        day = today()
        places = {role.organization_id for role in practitioner.roles if role.is_in_force(day)}
        organizations = await self._directory.organizations(places)
        holders: list[Practitioner | Organization] = [practitioner, *organizations.values()]
        codes = {one.value for holder in holders for one in holder.identifiers if one.system == system}
        return provider_code in codes

    async def _in_thread(self, origin: str, work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        async with self._turn(network_of(origin)):
            return await asyncio.to_thread(work, *args, **options)

    @asynccontextmanager
    async def _turn(self, client: str) -> AsyncIterator[None]:
        try:
            async with self._slots.slot(client):
                yield
        except QueueFull as full:
            raise Problem(
                429 if full.of_client else 503,
                "throttled",
                N_("The service is not available at the moment."),
                remedy=N_("Nothing has been changed. Try again in a moment."),
                headers={"Retry-After": "2"},
            ) from None
