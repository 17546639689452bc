"""The document of an agreement: what one operator signs for the other, a signed note of two lines. Pure.

    esante-healthnet-agreement/1
    {"from": "luxith.example", "to": "healthnet.internal", "number": 3, ...}

    — luxith.example <signature>

Each side signs its own statement: its prefixes, the services of the other that it uses, those that it offers. The name
of the key is that of the network (C2SP `signed-note`).
"""

import re
from collections.abc import Sequence
from datetime import date, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network

import msgspec

from esante.core.journal import NoteVerifier, split_note
from esante.services.healthnet.federation.model import (
    CROSS_BORDER_SERVICE,
    FederationKind,
    Statement,
    Terms,
)
from esante.services.healthnet.policy.parser import SITE_KEY

FORMAT = "esante-healthnet-agreement/1"
MAX_CHARACTERS = 20_000
LONGEST = timedelta(days=3 * 366)
_KEY = re.compile(r"[a-z][a-z0-9-]{0,39}")
_NETWORK = re.compile(r"[!-~]{1,120}")
_MOST = 50


class _Content(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """The second line of a document."""

    from_: str
    to: str
    federation: str
    kind: FederationKind
    number: int
    prefix6: str
    prefix4: str = ""
    uses: list[str]
    offers: list[str]
    sites: list[str] = []
    valid_from: date
    valid_until: date


class NotAgreed(ValueError):
    """A document that is refused; the text says why and what to do."""


def parse_document(text: str) -> Statement:
    """Return what a document states; its signature is not looked at. Raises: NotAgreed."""
    if len(text) > MAX_CHARACTERS:
        raise NotAgreed(f"the document has more than {MAX_CHARACTERS:,} characters")
    try:
        lines = split_note(text)[0].removesuffix("\n").split("\n")
        if len(lines) != 2 or lines[0] != FORMAT:
            raise NotAgreed(f"the document has the format {lines[0][:60]!r}; ask for one of {FORMAT}")
        found = msgspec.json.decode(lines[1], type=_Content)
    except (ValueError, RecursionError) as error:
        if isinstance(error, NotAgreed):
            raise
        raise NotAgreed(f"this is no agreement ({error}); copy the whole file") from error
    return _statement(found)


def verify_document(text: str, verifier: NoteVerifier) -> Statement:
    """Return what a document states that a key signed. Raises: NotAgreed."""
    found = parse_document(text)
    try:
        verifier.verify_note(text)
    except ValueError as error:
        raise NotAgreed(f"{error}; ask the other operator for the document and compare the key") from error
    if verifier.name != found.sender:
        raise NotAgreed(f"the key is that of {verifier.name}, the document is from {found.sender}")
    return found


def document_lines(statement: Statement) -> list[str]:
    """Return the lines of a document."""
    terms = statement.terms
    content = _Content(
        from_=statement.sender,
        to=statement.recipient,
        federation=terms.federation,
        kind=terms.kind,
        number=statement.number,
        prefix6=str(statement.network6),
        prefix4=str(statement.network4 or ""),
        uses=sorted(terms.uses),
        offers=sorted(terms.offers),
        sites=sorted(terms.sites),
        valid_from=terms.valid_from,
        valid_until=terms.valid_until,
    )
    return [FORMAT, msgspec.json.encode(content).decode()]


def _statement(found: _Content) -> Statement:
    for name in (found.federation, *found.uses, *found.offers):
        if not _KEY.fullmatch(name):
            raise NotAgreed(f"{name[:40]!r} is no name: small letters, digits and hyphens, at most 40")
    for name in found.sites:
        if not SITE_KEY.fullmatch(name):
            raise NotAgreed(f"{name[:40]!r} is no key of a site")
    for name in (found.from_, found.to):
        if not _NETWORK.fullmatch(name):
            raise NotAgreed("the name of a network is missing, or has blanks")
    if max(map(len, (found.uses, found.offers, found.sites))) > _MOST:
        raise NotAgreed(f"the document names more than {_MOST} services or sites")
    network6, network4 = _network(found.prefix6, 6), _network(found.prefix4, 4) if found.prefix4 else None
    terms = Terms(
        federation=found.federation,
        kind=found.kind,
        uses=frozenset(found.uses),
        offers=frozenset(found.offers),
        sites=frozenset(found.sites),
        valid_from=found.valid_from,
        valid_until=found.valid_until,
    )
    _check(terms, found.number)
    return Statement(
        sender=found.from_,
        recipient=found.to,
        number=found.number,
        network6=network6,  # type: ignore[arg-type]
        network4=network4,  # type: ignore[arg-type]
        terms=terms,
    )


def _network(text: str, version: int) -> IPv6Network | IPv4Network:
    try:
        found = ip_network(text)
    except ValueError as error:
        raise NotAgreed(f"{text[:60]!r} is no prefix: write fd12:3456:789a::/48 or 10.120.0.0/16") from error
    least = 32 if version == 6 else 8
    if found.version != version or found.prefixlen < least or not (found.is_private or found.is_global):
        raise NotAgreed(f"{found} is no prefix of another network: take a private or own IPv{version} one")
    if found.is_loopback or found.is_link_local or found.is_multicast or found.is_unspecified:
        raise NotAgreed(f"{found} is reserved")
    return found


def _check(terms: Terms, number: int) -> None:
    """Refuse terms that contradict themselves."""
    if not 0 < number < 1 << 31:
        raise NotAgreed("the number of the document is not 1 or more")
    if not terms.uses and not terms.offers:
        raise NotAgreed("the document names no service")
    if both := terms.uses & terms.offers:
        raise NotAgreed(f"service {min(both)} is in both directions; name it in one of `uses` and `offers`")
    if not terms.valid_from <= terms.valid_until <= terms.valid_from + LONGEST:
        raise NotAgreed("the agreement ends before it begins, or lasts longer than three years")
    if terms.kind is FederationKind.CROSS_BORDER:
        if terms.uses | terms.offers != {CROSS_BORDER_SERVICE}:
            raise NotAgreed(f"a cross-border federation has one service: {CROSS_BORDER_SERVICE}")
        if len(terms.sites) != 1:
            raise NotAgreed("a cross-border federation has one site of ours: that of the contact point")


def overlaps(
    one: Sequence[IPv6Network | IPv4Network | None], other: Sequence[IPv6Network | IPv4Network | None]
) -> bool:
    """Return whether networks of two lists share an address."""
    return any(a.overlaps(b) for a in one for b in other if a and b and a.version == b.version)
