"""The format of a bundle: canonical JSON, a signed head, and its parts whole or as changes of those before.

An envelope is a JSON object: `head` (text of canonical JSON), `signatures`, and either `parts` or `base` (a serial)
with `changes`. The signature is over the head, the head has the digest of the whole parts: changes need no signature
of their own. Parts are sections of keyed values: `{section: {key: value}}`.

This module is part of the agent's file: nothing but the standard library and `cryptography` (38 or later).
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

try:
    import orjson
except ImportError:  # at a site
    orjson = None  # type: ignore[assignment]

FORMAT = 1
DOMAIN = b"esante healthnet bundle 1\n"
"""Comes before the head in what is signed: no signature for another purpose passes for one of a bundle."""
CLOCK_TOLERANCE = 600
"""Seconds by which clocks of a site and the controller may differ."""

Parts = dict[str, dict[str, Any]]


class BundleRefused(Exception):
    """A bundle that is not applied; the message says why."""


class ChangesDoNotFit(BundleRefused):
    """Changes of other parts than those that there are: the whole bundle is needed."""


@dataclass(frozen=True)
class Head:
    """What is signed of a bundle. Times are seconds since 1970; `digest` is SHA-256 (hexadecimal) of the parts.

    `restores`: the serial whose content this one brings back (a rollback), 0 for none. Serials only rise.
    """

    site: str
    serial: int
    created: int
    not_before: int
    expires: int
    digest: str
    restores: int = 0
    format: int = FORMAT

    def encoded(self) -> bytes:
        """Return the head as canonical JSON."""
        return canonical(vars(self))


@dataclass(frozen=True)
class Bundle:
    """A bundle whose signature and digest were verified."""

    head: Head
    parts: Parts


def canonical(value: Any) -> bytes:
    """Return the one JSON text of a value without fractions: sorted keys, no blanks, UTF-8."""
    if orjson is not None:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)  # the same bytes, several times faster
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest_of(parts: Parts) -> str:
    """Return the digest of parts."""
    return hashlib.sha256(canonical(parts)).hexdigest()


def key_id(public: bytes) -> str:
    """Return the name of a public key: half of its SHA-256 (hexadecimal)."""
    return hashlib.sha256(public).hexdigest()[:32]


def changes(before: Parts, after: Parts) -> dict[str, dict[str, Any]]:
    """Return what makes `before` become `after`; a value of None is removed."""
    found: dict[str, dict[str, Any]] = {}
    for section in before.keys() | after.keys():
        old, new = before.get(section, {}), after.get(section, {})
        changed = {key: value for key, value in new.items() if key not in old or old[key] != value}
        changed |= dict.fromkeys(old.keys() - new.keys())
        if changed:
            found[section] = changed
    return found


def changed(before: Parts, changed_parts: Mapping[str, Mapping[str, Any]]) -> Parts:
    """Return parts after changes."""
    after = {section: dict(values) for section, values in before.items()}
    for section, values in changed_parts.items():
        target = after.setdefault(section, {})
        for key, value in values.items():
            if value is None:
                target.pop(key, None)
            else:
                target[key] = value
    return {section: values for section, values in after.items() if values}


def _verify_ed25519(public: bytes, signature: bytes, content: bytes) -> None:
    Ed25519PublicKey.from_public_bytes(public).verify(signature, content)


VERIFIERS: dict[str, Callable[[bytes, bytes, bytes], None]] = {"Ed25519": _verify_ed25519}
"""Algorithms of signatures by their names in envelopes and trusted keys."""


def open_envelope(
    envelope: Any, trusted: Mapping[str, Mapping[str, str]], site: str, now: float, known: Bundle | None
) -> Bundle:
    """Verify an envelope and return its bundle.

    `trusted`: public keys (`algorithm`, `public` as hexadecimal) by their `key_id`; one good signature of them is
    needed. `known`: the last bundle that was accepted: an envelope with the same or a lower serial is refused.
    Raises: BundleRefused; ChangesDoNotFit when a whole bundle may be accepted instead.
    """
    try:
        content = envelope["head"].encode()
        _verify_one(content, envelope["signatures"], trusted)
        head = Head(**json.loads(content))
        _check(head, site, now, known.head if known else None)
        parts = envelope["parts"] if "parts" in envelope else _whole(envelope, known)
        if not hmac.compare_digest(digest_of(parts), head.digest):
            error = BundleRefused if "parts" in envelope else ChangesDoNotFit
            raise error("the parts are not those that were signed")
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise BundleRefused(f"this is no bundle: {type(error).__name__}") from error
    return Bundle(head, parts)


def _verify_one(content: bytes, signatures: Any, trusted: Mapping[str, Mapping[str, str]]) -> None:
    for one in signatures[:8]:
        key = trusted.get(one["key"])
        if key is None or one["algorithm"] != key["algorithm"]:
            continue
        verify = VERIFIERS.get(key["algorithm"])
        if verify is None:
            continue
        try:
            verify(bytes.fromhex(key["public"]), bytes.fromhex(one["value"]), DOMAIN + content)
        except InvalidSignature as error:
            raise BundleRefused("the signature is wrong") from error
        return
    raise BundleRefused("no signature of a trusted key with an algorithm that this version knows")


def _check(head: Head, site: str, now: float, known: Head | None) -> None:
    if head.format != FORMAT:
        raise BundleRefused(f"format {head.format} needs another version of the agent, this one reads {FORMAT}")
    if head.site != site:
        raise BundleRefused("it is for another site")
    if known and head.serial <= known.serial:
        raise BundleRefused(f"serial {head.serial} is not after {known.serial}")
    if head.not_before > now + CLOCK_TOLERANCE:
        raise BundleRefused("it is not valid yet, or the clock of this machine is slow")
    if head.expires < now - CLOCK_TOLERANCE:
        raise BundleRefused("it has expired, or the clock of this machine is fast")


def _whole(envelope: Any, known: Bundle | None) -> Parts:
    if known is None or envelope["base"] != known.head.serial:
        raise ChangesDoNotFit("these are changes of another bundle")
    return changed(known.parts, envelope["changes"])
