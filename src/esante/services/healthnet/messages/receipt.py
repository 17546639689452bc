"""Receipts: the signed text of one, and the file that proves it with the journal's tree. Pure: no database.

A receipt is a signed note (C2SP `signed-note`) of the key that signs the heads of the journal, one line for each fact.
Its SHA-256 stands in the journal entry of the same act, whose leaf is in the tree: so the receipt is given at once,
and the proof of inclusion, and a time-stamp of the head that covers it, are added later.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec
from cryptography import x509
from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

from esante.core.journal import EntryProof, NoteVerifier, ProvedEntry, verify_entry
from esante.services.healthnet.messages.model import MessageChanged, MessageState, SiteMessage

FORMAT = "esante-healthnet-receipt/1"
MAX_BYTES = 100_000
_FIELDS = ("message", "from", "to", "state", "at", "digest", "bytes")


class NotProved(ValueError):
    """A receipt that proves nothing; the text says why."""


class ReceiptFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A receipt as a file. `entry`: None until it is sealed; `stamp`: of the head in it (base64), "" for none."""

    format: str
    receipt: str
    entry: EntryProof | None = None
    stamp: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a receipt says. `digest`: SHA-256 of the encrypted content (hexadecimal)."""

    message_id: UUID
    sender: str
    recipient: str
    state: MessageState
    at: datetime
    digest: str
    size: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class VerifiedReceipt:
    """What was verified: the receipt, its entry in the tree (None: not yet), when an authority stamped the head."""

    receipt: Receipt
    entry: ProvedEntry | None
    stamped_at: datetime | None


def receipt_lines(origin: str, message: SiteMessage) -> list[str]:
    """Return the lines of the receipt of a message's present state."""
    facts = [
        f"message {message.message_id}",
        f"from {message.sender}",
        f"to {message.recipient}",
        f"state {message.state.value}",
        f"at {message.changed_at.isoformat()}",
        f"digest {message.digest.hex()}",
        f"bytes {message.size}",
    ]
    return [_heading(origin), *facts, *([f"reason {message.reason}"] if message.reason else [])]


def receipt_hash(note: str) -> str:
    """Return the SHA-256 of a receipt (hexadecimal)."""
    return hashlib.sha256(note.encode()).hexdigest()


def file_of(note: str, entry: EntryProof | None, stamp: bytes) -> bytes:
    """Return the file of a receipt."""
    file = ReceiptFile(format=FORMAT, receipt=note, entry=entry, stamp=base64.b64encode(stamp).decode())
    return msgspec.json.format(msgspec.json.encode(file), indent=1)


def parse_receipt(note: str, verifier: NoteVerifier, origin: str) -> Receipt:
    """Return what a receipt says. Raises: NotProved for one that this key did not sign."""
    try:
        heading, *lines = verifier.verify_note(note)
        facts = dict(line.split(" ", 1) for line in lines)
        found = Receipt(
            message_id=UUID(facts["message"]),
            sender=facts["from"],
            recipient=facts["to"],
            state=MessageState(facts["state"]),
            at=datetime.fromisoformat(facts["at"]),
            digest=facts["digest"],
            size=int(facts["bytes"]),
            reason=facts.get("reason", ""),
        )
    except (ValueError, KeyError) as error:
        raise NotProved(f"this is no receipt that the key signed ({error})") from error
    if heading != _heading(origin) or [*facts][: len(_FIELDS)] != [*_FIELDS]:
        raise NotProved("the key signed this text, but it is no receipt of a message")
    return found


def verify_file(
    content: bytes, verifier: NoteVerifier, origin: str, roots: Sequence[x509.Certificate] = ()
) -> VerifiedReceipt:
    """Return what the file of a receipt proves; `roots`: certificates of trusted time-stamp authorities.

    Without them stamps are left out. Raises: NotProved with the first reason.
    """
    if len(content) > MAX_BYTES:
        raise NotProved(f"the file has more than {MAX_BYTES:,} bytes")
    try:
        file = msgspec.json.decode(content, type=ReceiptFile)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise NotProved(f"the file is no receipt ({error})") from error
    if file.format != FORMAT:
        raise NotProved(f"the file has the format {file.format[:60]!r}, this program reads {FORMAT}")
    receipt = parse_receipt(file.receipt, verifier, origin)
    if file.entry is None:
        return VerifiedReceipt(receipt, None, None)
    try:
        entry = verify_entry(file.entry, verifier, origin)
    except (ValueError, msgspec.DecodeError) as error:
        raise NotProved(f"the proof of the journal does not hold: {error}") from error
    if entry.type != MessageChanged.TYPE or entry.event.get("receipt") != receipt_hash(file.receipt):
        raise NotProved("the entry of the journal is about something else than this receipt")
    return VerifiedReceipt(receipt, entry, _stamped_at(file, roots) if roots else None)


def _stamped_at(file: ReceiptFile, roots: Sequence[x509.Certificate]) -> datetime | None:
    if not file.stamp or file.entry is None:
        return None
    try:
        answer = decode_timestamp_response(base64.b64decode(file.stamp, validate=True))
        builder = VerifierBuilder()
        for root in roots:
            builder = builder.add_root_certificate(root)
        builder.build().verify_message(answer, file.entry.checkpoint.encode())
        return answer.tst_info.gen_time
    except (ValueError, VerificationError) as error:
        raise NotProved(f"the time-stamp of the head is not valid: {error}") from error


def _heading(origin: str) -> str:
    return f"{origin}/healthnet-receipt"
