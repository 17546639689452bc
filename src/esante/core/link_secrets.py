"""Secrets of links that a person gives to others: an address that nobody guesses, and a PIN; and the link's QR code.

Of an address only its SHA-256 is stored, of a PIN only its scrypt hash.
"""

import hashlib
import secrets

import segno
from markupsafe import Markup

_ADDRESS_BYTES = 32
_PIN_DIGITS = 6
_SCRYPT = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}
"""The costs of a hash of a PIN: 16 MiB and about 50 ms."""


def new_address() -> str:
    """Return the unguessable part of an address: 256 random bits."""
    return secrets.token_urlsafe(_ADDRESS_BYTES)


def new_pin() -> str:
    """Return a random PIN of six digits."""
    return f"{secrets.randbelow(10**_PIN_DIGITS):0{_PIN_DIGITS}d}"


def hash_address(kind: str, address: str) -> bytes:
    """Return the SHA-256 by which a link of a kind is stored (32 bytes)."""
    return hashlib.sha256(f"{kind}\n{address}".encode()).digest()


def hash_pin(pin: str, address_hash: bytes) -> bytes:
    """Return the scrypt hash of a PIN, salted with its link (32 bytes)."""
    return hashlib.scrypt(pin.encode(), salt=address_hash, **_SCRYPT)


def link_qr(address: str, title: str) -> Markup:
    """Return the QR code of a link as inline SVG (error correction M: SMART Health Links)."""
    return qr_svg(segno.make_qr(address, error="m", boost_error=False), title)


def qr_svg(qr: segno.QRCode, title: str) -> Markup:
    """Return a QR code as inline SVG."""
    svg: str = qr.svg_inline(border=4, light="#fff", omitsize=True, title=title, svgclass="qr-code")
    return Markup(svg)  # noqa: S704 - segno escapes the title, and the text becomes modules only
