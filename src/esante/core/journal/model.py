"""Types of the journal: entries with an actor, an origin and a typed event."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar
from uuid import UUID

import msgspec


class Actor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The person or system that acted, and the organisation it acted for (EHDS, Annex II, 3.2 a)."""

    kind: str
    """`patient`, `practitioner`, `organization`, `operator`, `vendor`, `researcher`, `system`.

    `expired`: content was removed.
    """
    id: UUID | None = None
    name: str = ""
    role: str = ""
    organization_id: UUID | None = None
    organization: str = ""
    client: str = ""
    """The software client that sent the request, where one signed in."""
    delegate_id: UUID | None = None
    delegate: str = ""
    """Who acted in the name of the actor, where somebody did."""
    client_id: str = ""
    """The registration of the software client; "" in entries of before."""


class Initiator(Protocol):
    """The source of a request: the actor that its entries name, and the address it came from."""

    @property
    def actor(self) -> Actor:
        """The actor of the act."""

    @property
    def origin(self) -> str:
        """Where the request came from, for example an address."""


SALT_BYTES = 16
"""Random bytes hashed before each content, so that a content cannot be guessed from its digest."""
DIGEST_DOMAIN = b"esante-journal-entry/2\0"
"""The first bytes that a digest hashes: no digest of the first format begins with them."""
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
SYSTEM = Actor(kind="system", name="esante")


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of every typed event: a subclass declares its fields and is named by `@event`."""

    TYPE: ClassVar[str] = ""
    VERSION: ClassVar[int] = 0


E = TypeVar("E", bound=type[Event])
EVENTS: dict[str, type[Event]] = {}
"""Every declared event type by its name."""


def event(name: str, version: int = 1) -> Callable[[E], E]:
    """Declare an event type by a class decorator: its name in the journal, and the version of its fields.

    Fields are only ever added, with a default, and the version raised; an old entry is read by the new type.
    Raises: ValueError when the name is declared already.
    """

    def declare(cls: E) -> E:
        if name in EVENTS:
            raise ValueError(f"event type {name} is declared twice")
        cls.TYPE, cls.VERSION = name, version
        EVENTS[name] = cls
        return cls

    return declare


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """The content of an entry beside its columns: JSON with the fields in this order (`msgspec.json.encode`)."""

    version: int
    actor: Actor
    origin: str
    event: msgspec.Raw


def content_hash_of(salt: bytes, content: bytes) -> bytes:
    """Return the inner hash of an entry (32 bytes): SHA-256 over its salt (16 bytes) and its content."""
    return hashlib.sha256(salt + content).digest()


def digest_of(entry_id: UUID, person_id: UUID, at: datetime, type_: str, content_hash: bytes) -> bytes:
    """Return the digest of an entry in the tree (32 bytes): SHA-256 over its head and its inner hash.

    In this order: `DIGEST_DOMAIN`, id (16 bytes), person (16), time (8, big-endian microseconds since 2000-01-01
    UTC), type, a zero byte, inner hash (32). The head so stays bound when the content is gone. PostgreSQL
    concatenates the same bytes in `store.DIGEST_INPUT`.
    """
    micros = (at - _EPOCH) // timedelta(microseconds=1)
    head = entry_id.bytes + person_id.bytes + micros.to_bytes(8, "big", signed=True)
    return hashlib.sha256(DIGEST_DOMAIN + head + type_.encode() + b"\0" + content_hash).digest()


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as consumers and pages get it; `seq` is None until it is sealed, `event` None once expired."""

    id: UUID
    person_id: UUID
    at: datetime
    type: str
    actor: Actor
    origin: str
    event: Any
    seq: int | None = None


class SealedEntry(NamedTuple):
    """One sealed entry as it is stored; `content` is the JSON of a `Content`, None once expired."""

    seq: int
    person_id: UUID
    at: datetime
    type: str
    content: bytes | None
    sealed_at: datetime


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed statement about the tree: `size` leaves have this `root` (32 bytes)."""

    size: int
    root: bytes
    sealed_at: datetime
    note: str


@event("journal.expired", version=2)
class Expired(Event, frozen=True, kw_only=True):
    """The end of retention: the contents of these leaves were removed, their hashes stay."""

    type: str
    before: datetime
    count: int
    ranges: list[tuple[int, int]]
    """First and last `seq` of each range without gaps."""
    note: str = ""
    """The signed note of the expiry (`retention.expiry_lines`): nobody can end a retention by SQL alone."""


@event("journal.format_changed")
class FormatChanged(Event, frozen=True, kw_only=True):
    """The change to another format of digests: the first `size` leaves keep the format before."""

    format: int
    size: int
    root: str
    """The root of the tree of those leaves (base64)."""
    heads: str
    """SHA-256 over the SHA-256 of the heads of each chunk of leaves (base64): it binds what their digests do not."""
