"""The formats of a SMART Health Card: minified JSON, raw DEFLATE, JWS, digits of a QR code, file.

Source: HL7 SMART Health Cards and Links 1.0.0, "Health Cards are Compact", "Encoding QRs", "via File Download".
"""

import re
import zlib

import orjson
from joserfc.jwk import ECKey
from joserfc.jws import JWSRegistry, serialize_compact

from esante.core.types import Json

ALGORITHM = "ES256"
MAX_QR_JWS = 1_195
"""Characters of a JWS that fit into one QR code of version 22."""
MAX_INPUT = 512 * 1024
"""Characters that are read as a card at most."""
MAX_PAYLOAD = 4 * 1024 * 1024
"""Bytes of a payload once it is inflated, at most: a small card may claim to be a very large one."""
_SHC = "shc:/"
_DIGITS = re.compile(r"shc:/((?:[0-9]{2})+)")
_JWS = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_OFFSET = 45
"""The character code that the digits "00" stand for."""
REGISTRY = JWSRegistry(algorithms=[ALGORITHM], strict_check_header=False)
"""ES256 only; `zip` is a header of the specification's own, which no standard registers for a JWS."""


class CodecError(ValueError):
    """A text that is no card, or a damaged one."""


class NotACard(CodecError):
    """A text that is nothing like a card."""


class TooLarge(CodecError):
    """A text or a payload beyond the limits."""


def deflate(payload: bytes) -> bytes:
    """Return a payload as raw DEFLATE (RFC 1951), as small as possible."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return compressor.compress(payload) + compressor.flush()


def inflate(data: bytes) -> bytes:
    """Return the payload of raw DEFLATE. Raises: `TooLarge` beyond `MAX_PAYLOAD`, `CodecError` for damaged data."""
    decompressor = zlib.decompressobj(-15)
    try:
        payload = decompressor.decompress(data, MAX_PAYLOAD)
    except zlib.error as error:
        raise CodecError("the payload cannot be inflated") from error
    if not decompressor.eof and len(payload) >= MAX_PAYLOAD:
        raise TooLarge(f"the payload has more than {MAX_PAYLOAD:,} bytes")
    if not decompressor.eof or decompressor.unused_data:
        raise CodecError("the payload is cut off, or something follows it")
    return payload


def sign(claims: Json, key: ECKey) -> str:
    """Return the JWS of claims (minified, deflated, signed); `key` is private and has its `kid`."""
    header = {"zip": "DEF", "alg": ALGORITHM, "kid": key.kid}
    return serialize_compact(header, deflate(orjson.dumps(claims)), key, registry=REGISTRY)


def to_digits(jws: str) -> str:
    """Return the digits of a JWS in a QR code, two for each character, without `shc:/`."""
    return "".join(f"{ord(char) - _OFFSET:02d}" for char in jws)


def from_digits(digits: str) -> str:
    """Return the JWS of digits. Raises: `CodecError` where one stands for no character of a JWS."""
    jws = "".join(chr(int(digits[start : start + 2]) + _OFFSET) for start in range(0, len(digits), 2))
    if not _JWS.fullmatch(jws):
        raise CodecError("the digits are not those of a card")
    return jws


def card_file(*cards: str) -> bytes:
    """Return the file `.smart-health-card` of cards (JWS)."""
    return orjson.dumps({"verifiableCredential": list(cards)})


def read_cards(text: str) -> list[str]:
    """Return the cards (JWS) in what a QR code, a file or a person gives.

    Raises: `NotACard`, `TooLarge`, or `CodecError` for a damaged card.
    """
    if len(text) > MAX_INPUT:
        raise TooLarge(f"more than {MAX_INPUT:,} characters")
    text = text.strip()
    if text.lower().startswith(_SHC):
        found = _DIGITS.fullmatch(text.lower())
        if not found:
            raise CodecError("the QR code is damaged, or one of several")
        return [from_digits(found[1])]
    if _JWS.fullmatch(text):
        return [text]
    if text.startswith("{"):
        return _cards_of_file(text)
    raise NotACard("neither a QR code nor a file of a card")


def _cards_of_file(text: str) -> list[str]:
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise CodecError("the file is not JSON") from error
    cards = content.get("verifiableCredential")
    if not isinstance(cards, list) or not cards:
        raise NotACard("the file has no `verifiableCredential`")
    if not all(isinstance(card, str) and _JWS.fullmatch(card) for card in cards):
        raise CodecError("`verifiableCredential` does not hold cards")
    return cards
