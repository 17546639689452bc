"""The types of health cards: issued cards, keys, trusted issuers, the result of a verification, journal events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.types import Json
from esante.core.web import N_
from esante.identity.access import AccessEvent

CARD_TYPE = "https://smarthealth.cards#health-card"
"""The type that every credential has (SMART Health Cards, "Health Cards are encoded as JWS")."""
MEDIA_TYPE = "application/smart-health-card"


@event("vaccination.health_card_issued")
class HealthCardIssued(AccessEvent, frozen=True, kw_only=True):
    """The person made a SMART Health Card of some of their doses."""

    ACTION: ClassVar[str] = "C"
    RESOURCE: ClassVar[str] = "Immunization"
    OWN_WORDS: ClassVar[str] = N_("You made a signed vaccination card.")

    card_id: UUID
    doses: int


@event("vaccination.health_card_revoked")
class HealthCardRevoked(AccessEvent, frozen=True, kw_only=True):
    """A SMART Health Card was declared invalid, and stands in the published list of revoked cards.

    `cause`: patient; correction, of a dose on it.
    """

    ACTION: ClassVar[str] = "D"
    RESOURCE: ClassVar[str] = "Immunization"
    FOLDS: ClassVar[bool] = False
    WORDS: ClassVar[str] = N_("A signed card of yours is invalid because a vaccination on it was corrected.")
    OWN_WORDS: ClassVar[str] = N_("You declared a signed vaccination card invalid.")

    card_id: UUID
    cause: str = "patient"


@event("vaccination.health_card_key_rotated")
class HealthCardKeyRotated(Event, frozen=True, kw_only=True):
    """A new key signs cards from now on; `compromised`: the one before is not published any more."""

    kid: str
    before: str = ""
    compromised: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCard:
    """A card that a person made; `jws` is empty once it is revoked. `linked`: a file of a link, and no code."""

    person_id: UUID
    card_id: UUID
    kid: str
    rid: str
    dose_ids: tuple[UUID, ...]
    jws: str
    linked: bool = False
    issued_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedKey:
    """A public key of the issuer (JWK), and the identifiers of the cards under it that were revoked."""

    kid: str
    jwk: Json
    created_at: datetime
    retired_at: datetime | None
    rids: tuple[str, ...] = ()

    @property
    def crl_version(self) -> int:
        """The counter of the list of revoked cards: 1 while it is empty, and one more with each card."""
        return 1 + len(self.rids)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedKey:
    """A key of a trusted issuer: its JWK, until when it signed (None: still), revoked cards (`rid[.timestamp]`)."""

    jwk: Json
    signed_until: float | None = None
    rids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedIssuer:
    """An issuer whose cards are trusted: its address, its name, its keys by their `kid`."""

    iss: str
    name: str
    keys: Mapping[str, TrustedKey] = field(default_factory=dict)


class Result(StrEnum):
    """What the verification of a card found."""

    VALID = "valid"
    NOT_A_CARD = "not-a-card"
    DAMAGED = "damaged"
    TOO_LARGE = "too-large"
    UNKNOWN_ISSUER = "unknown-issuer"
    UNKNOWN_KEY = "unknown-key"
    WRONG_SIGNATURE = "wrong-signature"
    KEY_EXPIRED = "key-expired"
    NOT_YET_VALID = "not-yet-valid"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The result of a card; `issuer` and `bundle` are given only where the signature is right."""

    result: Result
    issuer: str = ""
    issued_at: float | None = None
    bundle: Json | None = None
