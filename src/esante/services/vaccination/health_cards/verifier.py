"""Verification of SMART Health Cards: pure, without a network.

The page of the verification (static/health_card.js) finds the same results in a browser; a test compares both.
"""

import math
from collections.abc import Mapping
from typing import Any

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from joserfc.jws import deserialize_compact, extract_compact

from esante.core.types import Json
from esante.services.vaccination.health_cards.codec import (
    ALGORITHM,
    REGISTRY,
    CodecError,
    NotACard,
    TooLarge,
    inflate,
    read_cards,
)
from esante.services.vaccination.health_cards.model import (
    CARD_TYPE,
    Result,
    TrustedIssuer,
    TrustedKey,
    Verification,
)

MAX_CARDS = 20
"""Cards of one file that are verified."""
LEEWAY = 120
"""Seconds by which clocks may differ."""


def verify(text: str, issuers: Mapping[str, TrustedIssuer], now: float) -> list[Verification]:
    """Return the result of each card in what a QR code, a file or a person gives; `now` in seconds since 1970 (UTC).

    `issuers`: those whose cards are trusted, by their address.
    """
    try:
        cards = read_cards(text)
        if len(cards) > MAX_CARDS:
            raise TooLarge(f"more than {MAX_CARDS} cards")
    except CodecError as error:
        return [Verification(result=_result_of(error))]
    return [verify_card(card, issuers, now) for card in cards]


def verify_card(jws: str, issuers: Mapping[str, TrustedIssuer], now: float) -> Verification:
    """Return the result of one card (JWS)."""
    try:
        header, claims = _read_unverified(jws)
    except CodecError as error:
        return Verification(result=_result_of(error))
    issuer = issuers.get(claims["iss"])
    if issuer is None:
        return Verification(result=Result.UNKNOWN_ISSUER)
    key = issuer.keys.get(header["kid"])
    if key is None:
        return Verification(result=Result.UNKNOWN_KEY)
    try:
        deserialize_compact(jws, ECKey.import_key(key.jwk), registry=REGISTRY)
    except (JoseError, ValueError):
        return Verification(result=Result.WRONG_SIGNATURE)
    return Verification(
        result=_standing(claims, key, now),
        issuer=issuer.name,
        issued_at=claims["nbf"],
        bundle=claims["vc"]["credentialSubject"]["fhirBundle"],
    )


def _standing(claims: Json, key: TrustedKey, now: float) -> Result:
    """Return whether a card with a right signature is valid now."""
    if claims["nbf"] > now + LEEWAY:
        return Result.NOT_YET_VALID
    if key.signed_until is not None and claims["nbf"] > key.signed_until + LEEWAY:
        return Result.KEY_EXPIRED
    if is_revoked(claims["vc"].get("rid"), claims["nbf"], key):
        return Result.REVOKED
    if claims.get("exp") is not None and claims["exp"] + LEEWAY <= now:
        return Result.EXPIRED
    return Result.VALID


def is_revoked(rid: Any, nbf: float, key: TrustedKey) -> bool:
    """Return whether the list of revoked cards has an identifier, or has it for cards issued before a moment."""
    if not isinstance(rid, str) or not rid:
        return False
    for entry in key.rids:
        name, point, until = entry.partition(".")
        if name == rid and (not point or (until.isascii() and until.isdigit() and nbf < int(until))):
            return True
    return False


def _read_unverified(jws: str) -> tuple[Json, Json]:
    """Return header and claims of a card, whose forms are right. Raises: `CodecError`."""
    try:
        parts = extract_compact(jws.encode())
    except (JoseError, ValueError) as error:
        raise CodecError("the card is no JWS") from error
    header = parts.headers()
    if header.get("alg") != ALGORITHM or header.get("zip") != "DEF" or not isinstance(header.get("kid"), str):
        raise NotACard("the header is not that of a card")
    try:
        claims = orjson.loads(inflate(parts.payload))
    except orjson.JSONDecodeError as error:
        raise CodecError("the payload is not JSON") from error
    if not _has_form(claims):
        raise NotACard("the payload is not that of a card")
    return header, claims


def _has_form(claims: Any) -> bool:
    """Return whether claims are those of a card."""
    match claims:
        case {
            "iss": str(),
            "nbf": nbf,
            "vc": {"type": list(types), "credentialSubject": {"fhirBundle": {"entry": list()}}},
        }:
            return CARD_TYPE in types and _is_time(nbf) and (claims.get("exp") is None or _is_time(claims["exp"]))
    return False


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _result_of(error: CodecError) -> Result:
    if isinstance(error, NotACard):
        return Result.NOT_A_CARD
    return Result.TOO_LARGE if isinstance(error, TooLarge) else Result.DAMAGED
