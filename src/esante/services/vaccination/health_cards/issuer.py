"""The issuer of health cards: issue and revoke cards, publish and rotate keys.

A card holds what the person may see of their own card of vaccinations, and what a professional stands for. The `iss`
of cards is an address of its own under that of the platform: its keys are not those that sign id tokens.
"""

import asyncio
import secrets
from collections.abc import Collection, Sequence
from pathlib import Path
from uuid import UUID

from joserfc.jwk import ECKey

from esante.core import clock
from esante.core.journal import SYSTEM, Consumer, Entry, Journal
from esante.core.storage import Connection, Database, Row, insert, uuid7
from esante.core.types import Json
from esante.core.web import DEFAULT_LANGUAGE, N_, NOT_FOUND, Problem, bad_request, current_agency
from esante.identity.access import Requester
from esante.identity.directory import Directory, Person
from esante.services.record import ClinicalDeleted, ClinicalUpdated
from esante.services.vaccination.card.model import Dose
from esante.services.vaccination.card.service import VaccinationCards
from esante.services.vaccination.card.write_rules import CATEGORY
from esante.services.vaccination.health_cards import store
from esante.services.vaccination.health_cards.bundle import is_provable, minimal_bundle
from esante.services.vaccination.health_cards.codec import MAX_QR_JWS, sign
from esante.services.vaccination.health_cards.keys import SigningKeys, new_key, public_half
from esante.services.vaccination.health_cards.model import (
    CARD_TYPE,
    HealthCard,
    HealthCardIssued,
    HealthCardKeyRotated,
    HealthCardRevoked,
    PublishedKey,
    TrustedIssuer,
)
from esante.services.vaccination.health_cards.trust import own_issuer

MAX_CARDS = 50
"""Cards of a person that are valid at the same time."""
PATH = "/health-cards"
"""The path of the issuer's address."""


class HealthCards:
    """The health cards of all persons; `base_url`: the platform's address, `key_file`: that of the signing key."""

    def __init__(
        self,
        db: Database,
        journal: Journal,
        cards: VaccinationCards,
        directory: Directory,
        base_url: str,
        key_file: Path,
    ) -> None:
        self._db, self._journal = db, journal
        self._cards, self._directory = cards, directory
        self._keys = SigningKeys(key_file)
        self.iss = f"{base_url}{PATH}"

    async def provable_doses(self, requester: Requester) -> list[Dose]:
        """Return the doses that the requester, a patient, can prove, the latest first."""
        loaded = await self._cards.load(requester, requester.id)
        return [dose for dose in loaded.card.given if is_provable(dose)]

    async def choose(self, requester: Requester, dose_ids: Collection[UUID]) -> tuple[Person, list[Dose]]:
        """Return the requester as a person, and the chosen ones of their doses.

        Raises: `Problem` 400 where none is chosen, 404 for a dose that is not among them, 403 for who is no patient.
        """
        if requester.kind != "patient" or requester.only_person_id != requester.id:
            raise Problem(403, "forbidden", N_("Only patients can make a proof of their own vaccinations."))
        if not dose_ids:
            raise bad_request("doses", N_("Choose at least one vaccination."), code="required")
        doses = {dose.id: dose for dose in await self.provable_doses(requester)}
        person = await self._directory.person(requester.id)
        if person is None or not doses.keys() >= set(dose_ids):
            raise Problem(404, "not-found", NOT_FOUND)
        return person, [dose for key, dose in doses.items() if key in set(dose_ids)]

    async def issue(self, requester: Requester, dose_ids: Collection[UUID]) -> HealthCard:
        """Issue a card of chosen doses that fits into one QR code. Raises: as `choose`; `Problem` 400 for too many."""
        person, doses = await self.choose(requester, dose_ids)
        if sum(not one.revoked_at for one in await store.find_cards(self._db, requester.id)) >= MAX_CARDS:
            raise bad_request(
                "doses", N_("You have too many valid cards."), N_("Declare an old one invalid first."), status=409
            )
        card = await self._signed(person, doses, linked=False)
        if len(card.jws) > MAX_QR_JWS:
            raise bad_request(
                "doses",
                N_("These vaccinations do not fit into one QR code."),
                N_("Choose fewer, or make a link."),
                code="too-long",
            )
        event = HealthCardIssued(
            purpose="PATRQT", categories=(CATEGORY,), card_id=card.card_id, doses=len(card.dose_ids)
        )
        rows = self._journal.rows_for(requester, event, person_id=requester.id)
        await self._db.write([store.card_row(card), *rows])
        return card

    async def issue_for_link(self, person: Person, doses: Sequence[Dose]) -> tuple[str, Row]:
        """Return a card (JWS) of any size for a link, and the row by which it can be revoked, to be inserted."""
        card = await self._signed(person, doses, linked=True)
        return card.jws, store.card_row(card)

    async def cards_of(self, requester: Requester) -> list[HealthCard]:
        """Return the requester's cards, the latest first."""
        return await store.find_cards(self._db, requester.id)

    async def find(self, requester: Requester, card_id: UUID) -> HealthCard:
        """Return a card of the requester that is valid. Raises: `Problem` 404."""
        card = await store.find_card(self._db, requester.id, card_id)
        if card is None or card.revoked_at is not None:
            raise Problem(404, "not-found", NOT_FOUND)
        return card

    async def revoke(self, requester: Requester, card_id: UUID) -> None:
        """Declare a card of the requester invalid; doing it twice is doing it once. Raises: `Problem` 404."""
        async with self._db.transaction() as conn:
            card = await store.find_card(conn, requester.id, card_id)
            if card is None:
                raise Problem(404, "not-found", NOT_FOUND)
            if await store.revoke(conn, card, clock.now()):
                event = HealthCardRevoked(purpose="PATRQT", categories=(CATEGORY,), card_id=card_id)
                await self._journal.append_for(requester, event, person_id=requester.id, conn=conn)

    @property
    def consumer(self) -> Consumer:
        """The consumer of the journal that revokes cards with a dose that was corrected, or entered in error."""
        return Consumer("vaccination.health_cards", [ClinicalUpdated, ClinicalDeleted], self._revoke_corrected)

    async def _revoke_corrected(self, conn: Connection, entries: list[Entry]) -> None:
        for entry in entries:
            doses = _doses_of(entry)
            for card in await store.find_cards_with(conn, entry.person_id, doses) if doses else ():
                if await store.revoke(conn, card, clock.now()):
                    event = HealthCardRevoked(categories=(CATEGORY,), card_id=card.card_id, cause="correction")
                    await insert(conn, self._journal.rows(event, person_id=entry.person_id, actor=SYSTEM))

    async def published_keys(self) -> Sequence[PublishedKey]:
        """Return the keys that are published, with the revoked cards of each."""
        await self._signing_key()
        return await store.fetch_keys(self._db)

    async def trusted(self) -> TrustedIssuer:
        """Return this issuer, as verifiers trust it."""
        name = current_agency().agency_name.of(DEFAULT_LANGUAGE)
        return own_issuer(self.iss, name, await self.published_keys())

    async def rotate(self, *, compromised: bool = False) -> PublishedKey:
        """Make a new key that signs from now on; the private half of the one before is destroyed.

        The old public key stays published, unless it is `compromised`: then every card under it becomes invalid.
        The new key is published before it signs: whoever verifies a card finds its key.
        """
        before, key, now = await self._signing_key(), new_key(), clock.now()
        async with self._db.transaction() as conn:
            await store.add_key(conn, str(key.kid), public_half(key), now)
            await store.retire_others(conn, str(key.kid), now, compromised=compromised)
            event = HealthCardKeyRotated(kid=str(key.kid), before=str(before.kid), compromised=compromised)
            await insert(conn, self._journal.rows(event, actor=SYSTEM))
            await asyncio.to_thread(self._keys.replace, key)
        return PublishedKey(kid=str(key.kid), jwk=public_half(key), created_at=now, retired_at=None)

    async def delete_of_person(self, conn: Connection, person_id: UUID) -> int:
        """Delete a person's cards; return how many."""
        return await store.delete_of_person(conn, person_id)

    async def _signing_key(self) -> ECKey:
        """Return the key that signs, which is published."""
        key = await asyncio.to_thread(self._keys.current)
        if not await store.is_published(self._db, str(key.kid)):
            async with self._db.transaction() as conn:
                await store.add_key(conn, str(key.kid), public_half(key), clock.now())
        return key

    async def _signed(self, person: Person, doses: Sequence[Dose], *, linked: bool) -> HealthCard:
        """Return a new card, which is not stored yet."""
        key, rid, now = await self._signing_key(), new_rid(), clock.now()
        subject: Json = {"fhirVersion": "4.0.1", "fhirBundle": minimal_bundle(person, doses)}
        credential: Json = {"type": [CARD_TYPE], "credentialSubject": subject, "rid": rid}
        claims = {"iss": self.iss, "nbf": int(now.timestamp()), "vc": credential}
        return HealthCard(
            person_id=person.id,
            card_id=uuid7(),
            kid=str(key.kid),
            rid=rid,
            dose_ids=tuple(dose.id for dose in doses),
            jws=await asyncio.to_thread(sign, claims, key),
            linked=linked,
            issued_at=now,
        )


def new_rid() -> str:
    """Return an identifier for the revocation of a card: 96 random bits, which say nothing of the person."""
    return secrets.token_urlsafe(12)


def _doses_of(entry: Entry) -> list[UUID]:
    """Return the keys of the doses that an entry changed; [] for a refused change."""
    names = entry.event.resources if entry.event is not None and entry.event.allowed else ()
    return [UUID(hex=name.partition("/")[2]) for name in names if name.startswith("Immunization/")]
