"""Statements of the messages of a month, signed by a contact point, and their reconciliation. Pure.

A statement is a JWS (RFC 7515, compact, RS256) under the seal of its contact point. It names each message by its
identifiers and the hashes of request and answer, the head of the journal that has their entries, and no person. Two
contact points give each other theirs: what both state alike, neither can deny (non-repudiation of origin and receipt).
"""

import hashlib
from base64 import urlsafe_b64encode
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from esante.services.exchange.assertions.issuer import Issuer
from esante.services.exchange.audit.model import Message, Side
from esante.services.exchange.contact_points.model import ContactPoint
from esante.services.exchange.model import Fault, NotUsable

FORMAT = "esante-exchange-statement/1"
MAX_BYTES = 256 * 1024 * 1024
PLACE = "statement"


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A message in a statement."""

    side: Side
    transaction: str
    message_id: str
    answer_id: str
    request_hash: str
    answer_hash: str
    outcome: str
    at: datetime


class Statement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """What a contact point states about a month (`2026-11`) of messages with another country.

    `journal`: the newest signed head of its journal, as a note; "" where it has none.
    """

    format: str
    from_: str
    to: str
    month: str
    journal: str
    messages: list[Line]


class Difference(StrEnum):
    """How the statements of two contact points about one message differ."""

    MISSING_HERE = "missing here"
    MISSING_THERE = "missing there"
    REQUEST = "another request"
    ANSWER = "another answer"
    NO_ANSWER = "answered, but the answer did not arrive"


@dataclass(frozen=True, slots=True)
class Found:
    """A difference: what, and the message as either side states it."""

    difference: Difference
    here: Line | None
    there: Line | None


def line_of(message: Message) -> Line:
    """Return a message as a statement has it."""
    return Line(
        side=message.side,
        transaction=message.transaction.value,
        message_id=message.message_id,
        answer_id=message.answer_id,
        request_hash=message.request_hash,
        answer_hash=message.answer_hash,
        outcome=message.outcome,
        at=message.at,
    )


def write_statement(statement: Statement, issuer: Issuer) -> str:
    """Return a statement, signed with the seal of its contact point."""
    header = {"alg": "RS256", "typ": FORMAT, "x5t#S256": _thumbprint(issuer.certificate)}
    key = RSAKey.import_key(issuer.key)
    return jws.serialize_compact(header, msgspec.json.encode(statement), key, algorithms=["RS256"])


def read_statement(text: str, senders: Sequence[ContactPoint], country: str) -> Statement:
    """Return a statement for a country that the contact point which it names sealed. Raises: `NotUsable`."""
    if len(text) > MAX_BYTES:
        raise NotUsable(Fault("the statement is too large", PLACE, "Ask for one of a shorter time"))
    for sender in senders:
        for seal in sender.seals:
            if (payload := _verified(text.strip(), seal)) is not None:
                return _decode(payload, sender.country, country)
    raise NotUsable(Fault("no seal of a registered country signed it", PLACE, "Compare its seal with the country"))


def _verified(text: str, seal: x509.Certificate) -> bytes | None:
    """Return what was signed with the key of a seal, None where it was not."""
    pem = seal.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    try:
        signed = jws.deserialize_compact(text, RSAKey.import_key(pem), algorithms=["RS256"])
    except (JoseError, ValueError):
        return None
    return signed.payload if signed.headers().get("typ") == FORMAT else None


def _decode(payload: bytes, sender: str, country: str) -> Statement:
    try:
        stated = msgspec.json.decode(payload, type=Statement)
    except msgspec.DecodeError as error:
        raise NotUsable(Fault(f"the statement has another form: {error}", PLACE, "Ask for another file")) from error
    if (stated.from_, stated.to) != (sender, country):
        said = f"it is from {stated.from_[:20]} for {stated.to[:20]}, sealed by {sender}"
        raise NotUsable(Fault(said, PLACE, "Ask for the statement for this country"))
    return stated


def reconcile(here: Iterable[Line], there: Iterable[Line]) -> Iterator[Found]:
    """Yield where two statements differ, in the order of this side; the side that asked is compared with its answerer.

    A message that was sent several times under one identifier is compared as often as it was sent.
    """
    open_there: dict[tuple[Side, str, str], list[Line]] = defaultdict(list)
    for one in there:
        open_there[one.side, one.transaction, one.message_id].append(one)
    for one in here:
        other_side = Side.ASKED if one.side is Side.ANSWERED else Side.ANSWERED
        candidates = open_there[other_side, one.transaction, one.message_id]
        other = next((found for found in candidates if found.request_hash == one.request_hash), None)
        other = other or next(iter(candidates), None)
        if other is None:
            yield Found(Difference.MISSING_THERE, one, None)
            continue
        candidates.remove(other)
        if difference := _difference(one, other):
            yield Found(difference, one, other)
    for left in open_there.values():
        for one in left:
            yield Found(Difference.MISSING_HERE, None, one)


def _difference(here: Line, there: Line) -> Difference | None:
    if here.request_hash != there.request_hash:
        return Difference.REQUEST
    if here.answer_hash == there.answer_hash:
        return None
    return Difference.ANSWER if here.answer_hash and there.answer_hash else Difference.NO_ANSWER


def _thumbprint(certificate: x509.Certificate) -> str:
    digest = hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
