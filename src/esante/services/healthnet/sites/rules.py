"""Pure rules of sites: which acts a state allows, keys, contacts."""

import base64
import binascii
import re

from esante.services.healthnet.sites.model import SiteState

LIVE = frozenset({SiteState.APPROVED, SiteState.ACTIVE, SiteState.SUSPENDED})
"""The states of sites that have addresses."""
CONNECTED = frozenset({SiteState.ACTIVE})
"""The states of sites that are part of the network."""
ALLOWED = {
    "decide": {SiteState.REQUESTED},
    "connect": {SiteState.APPROVED, SiteState.ACTIVE},
    "change": {SiteState.REQUESTED, *LIVE},
    "suspend": {SiteState.APPROVED, SiteState.ACTIVE},
    "resume": {SiteState.SUSPENDED},
    "quarantine": LIVE,
    "end": {SiteState.REQUESTED, *LIVE},
}
"""The states in which an act is possible."""
_PHONE = re.compile(r"\+?[0-9][0-9 ./()-]{4,28}[0-9]")
_EMAIL = re.compile(r"[^\s@<>\"]{1,64}@[^\s@<>\"]{1,180}\.[^\s@<>\"]{2,}")
KEY_BYTES = 32


def site_key(number: int) -> str:
    """Return the key of the site with a number, such as S00012."""
    return f"S{number:05}"


def is_phone(text: str) -> bool:
    """Return whether a text can be a telephone number."""
    return _PHONE.fullmatch(text) is not None


def is_email(text: str) -> bool:
    """Return whether a text can be an e-mail address."""
    return len(text) <= 254 and _EMAIL.fullmatch(text) is not None


def is_wireguard_key(text: str) -> bool:
    """Return whether a text is a public key of WireGuard: 32 bytes in Base64, not zero."""
    try:
        key = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return False
    return len(key) == KEY_BYTES and any(key) and base64.b64encode(key).decode() == text
