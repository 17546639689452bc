"""Health links: make one, open it with a PIN, end it.

The server keeps files that it cannot read: their key is in the link, which it shows once and does not keep. A link
that is unknown, over, ended or locked is answered alike, and with the same work.
"""

import asyncio
import hmac
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from esante.core import clock
from esante.core.journal import Actor, Journal
from esante.core.link_secrets import hash_pin, new_address, new_pin
from esante.core.storage import Connection, Database, insert, uuid7
from esante.core.time_zone import today
from esante.core.types import Json
from esante.core.web import N_, NOT_FOUND, Problem, bad_request, clean_text, network_of
from esante.identity.access import Access, Requester, policy
from esante.identity.directory import Person
from esante.services.record import Record
from esante.services.vaccination.card.loader import CardLoader
from esante.services.vaccination.card.model import Dose
from esante.services.vaccination.card.write_rules import CATEGORY
from esante.services.vaccination.health_cards.codec import card_file
from esante.services.vaccination.health_cards.issuer import HealthCards
from esante.services.vaccination.health_cards.model import MEDIA_TYPE
from esante.services.vaccination.health_links import store
from esante.services.vaccination.health_links.codec import (
    KEY_BYTES,
    encrypt,
    hash_address,
    link_uri,
)
from esante.services.vaccination.health_links.model import (
    DURATIONS,
    LOCATION_LIFETIME,
    MAX_ACTIVE,
    MAX_ATTEMPTS,
    MAX_LABEL,
    MAX_RECIPIENT,
    HealthLink,
    HealthLinkCreated,
    HealthLinkEnded,
    HealthLinkOpened,
    NewLink,
)
from esante.services.vaccination.history.bundle import history_bundle

PATH = "/api/health-links"
_FHIR = "application/fhir+json"


class WrongPin(Exception):
    """A wrong PIN for a link that works; so many attempts are left."""

    def __init__(self, remaining: int) -> None:
        super().__init__("wrong PIN")
        self.remaining = remaining


@dataclass(frozen=True, slots=True)
class Caller:
    """Who opens a link: the name that they give, and the address that they come from."""

    recipient: str
    origin: str

    @property
    def actor(self) -> Actor:
        """The caller as the actor of journal entries: nobody has signed in."""
        return Actor(kind="", name=self.recipient)


class HealthLinks:
    """The health links of all persons; `base_url` is the platform's address."""

    def __init__(
        self, db: Database, journal: Journal, cards: HealthCards, record: Record, access: Access, base_url: str
    ) -> None:
        self._db, self._journal = db, journal
        self._cards, self._access = cards, access
        self._loader = CardLoader(record)
        self._url = f"{base_url}{PATH}"

    async def create(
        self, requester: Requester, dose_ids: Collection[UUID], label: str, days: int, language: str
    ) -> NewLink:
        """Make a link to chosen doses of the requester: as a signed card, and as the history document.

        Raises: `Problem` as `HealthCards.choose`, 400 for a duration that is not offered, 409 for too many links.
        """
        label = clean_text(label, 0, MAX_LABEL, "label")
        if days not in DURATIONS:
            raise bad_request("days", N_("Choose how long the link works."), code="value")
        person, doses = await self._cards.choose(requester, dose_ids)
        now = clock.now()
        if sum(link.is_active(now) for link in await self.links_of(requester)) >= MAX_ACTIVE:
            raise bad_request("label", N_("You have too many links."), N_("End an old one first."), status=409)
        key, address, pin = secrets.token_bytes(KEY_BYTES), new_address(), new_pin()
        card, card_row = await self._cards.issue_for_link(person, doses)
        history = await self._history(person, doses, language)
        files = [encrypt(card_file(card), MEDIA_TYPE, key), encrypt(history, _FHIR, key)]
        link = HealthLink(
            link_id=uuid7(),
            person_id=requester.id,
            label=label,
            doses=len(doses),
            attempts_left=MAX_ATTEMPTS,
            created_at=now,
            expires_at=now + timedelta(days=days),
            ended_at=None,
            end_cause="",
            openings=0,
            opened_at=None,
        )
        hashed = hash_address(address)
        rows = store.link_rows(link, hashed, await asyncio.to_thread(hash_pin, pin, hashed), files)
        event = HealthLinkCreated(
            purpose="PATRQT", categories=(CATEGORY,), link_id=link.link_id, doses=len(doses), until=link.expires_at
        )
        async with self._db.transaction() as conn:
            await insert(conn, [*rows, card_row, *self._journal.rows_for(requester, event, person_id=requester.id)])
        return NewLink(link=link, uri=link_uri(f"{self._url}/{address}", key, label, link.expires_at), pin=pin)

    async def links_of(self, requester: Requester) -> list[HealthLink]:
        """Return the requester's links, the latest first."""
        return await store.find_links(self._db, requester.id)

    async def end(self, requester: Requester, link_id: UUID) -> None:
        """End a link of the requester; doing it twice is doing it once. Raises: `Problem` 404."""
        async with self._db.transaction() as conn:
            found = await store.lock_own(conn, requester.id, link_id)
            if found is None:
                raise Problem(404, "not-found", NOT_FOUND)
            hashed, link = found
            if link.ended_at is None:
                await store.end(conn, hashed, clock.now(), "patient")
                event = HealthLinkEnded(purpose="PATRQT", categories=(CATEGORY,), link_id=link_id, cause="patient")
                await self._journal.append_for(requester, event, person_id=requester.id, conn=conn)

    async def open(
        self, address: str, recipient: str, pin: str, origin: str, max_embedded: int | None = None
    ) -> list[Json]:
        """Return the files of a link for its manifest: embedded, or by an address where they exceed `max_embedded`.

        Raises: `WrongPin`; `Problem` 404, always the same, for a link that is unknown, over, ended or locked; 400
        without the name of a recipient; 429 after too many attempts from a network.
        """
        caller = Caller(clean_text(recipient, 1, MAX_RECIPIENT, "recipient"), origin)
        await self._count_attempt(origin)
        hashed = hash_address(address)
        given = await asyncio.to_thread(hash_pin, pin, hashed)
        async with self._db.transaction() as conn:
            found = await store.lock_by_address(conn, hashed)
            refusal = await self._refusal(conn, found, hashed, given, caller)
            if refusal is None and found is not None:
                await store.count_opening(conn, hashed, clock.now())
                await self._record(conn, found[1], caller, "")
                return await self._manifest(conn, hashed, max_embedded)
        raise refusal or Problem(404, "not-found", NOT_FOUND)

    async def fetch_file(self, token: str, origin: str) -> str:
        """Return the file (JWE) at a single address, which works once. Raises: `Problem` 404, 429."""
        await self._count_attempt(origin)
        jwe = await store.take_location(self._db, hash_address(token), clock.now())
        if jwe is None:
            raise Problem(404, "not-found", NOT_FOUND)
        return jwe

    async def tidy(self) -> None:
        """Delete the files of links whose time is over."""
        await store.delete_expired(self._db, clock.now())

    async def delete_of_person(self, conn: Connection, person_id: UUID) -> int:
        """Delete a person's links; return how many."""
        return await store.delete_of_person(conn, person_id)

    # Steps

    async def _count_attempt(self, origin: str) -> None:
        terms = policy(today())
        limits = {f"health-link:{network_of(origin)}": terms.attempts_per_origin}
        await self._access.count_attempts(limits, terms.attempt_window, None, origin)

    async def _history(self, person: Person, doses: Sequence[Dose], language: str) -> bytes:
        """Return the history document of chosen doses."""
        chosen = {dose.id for dose in doses}
        resources = [pair for pair in await self._loader.doses(person.id) if pair[0].id in chosen]
        return history_bundle(person, resources, language, clock.now(), secrets.token_bytes(16))

    async def _refusal(
        self,
        conn: Connection,
        found: tuple[bytes, HealthLink] | None,
        hashed: bytes,
        given: bytes,
        caller: Caller,
    ) -> Exception | None:
        """Return why a link is not opened, and record it; None when it is. A wrong PIN takes one of its attempts."""
        if found is None:
            return Problem(404, "not-found", NOT_FOUND)
        expected, link = found
        now = clock.now()
        if not link.is_active(now):
            await self._record(conn, link, caller, "ended" if link.ended_at else "expired")
            return Problem(404, "not-found", NOT_FOUND)
        if hmac.compare_digest(expected, given):
            return None
        await store.count_wrong_pin(conn, hashed)
        await self._record(conn, link, caller, "pin")
        if link.attempts_left <= 1:
            await store.end(conn, hashed, now, "attempts")
            event = HealthLinkEnded(purpose="PATRQT", categories=(CATEGORY,), link_id=link.link_id, cause="attempts")
            await self._journal.append_for(caller, event, person_id=link.person_id, conn=conn)
        return WrongPin(link.attempts_left - 1)

    async def _record(self, conn: Connection, link: HealthLink, caller: Caller, refusal: str) -> None:
        event = HealthLinkOpened(
            purpose="PATRQT",
            categories=(CATEGORY,),
            allowed=not refusal,
            rule=f"health-link.{refusal or 'pin'}",
            reason="refused" if refusal else "",
            link_id=link.link_id,
        )
        await self._journal.append_for(caller, event, person_id=link.person_id, conn=conn)

    async def _manifest(self, conn: Connection, hashed: bytes, max_embedded: int | None) -> list[Json]:
        entries = []
        for position, file in enumerate(await store.fetch_files(conn, hashed)):
            entry: Json = {"contentType": file.content_type, "status": "finalized", "fhirVersion": "4.0.1"}
            if max_embedded is None or len(file.jwe) <= max_embedded:
                entry["embedded"] = file.jwe
            else:
                entry["location"] = await self._location(conn, hashed, position)
            entries.append(entry)
        return entries

    async def _location(self, conn: Connection, hashed: bytes, position: int) -> str:
        """Return the address of a single file, which works once."""
        token = new_address()
        row = (hash_address(token), hashed, position, clock.now() + LOCATION_LIFETIME)
        await insert(conn, [(store.LOCATION, row)])
        return f"{self._url}/files/{token}"
